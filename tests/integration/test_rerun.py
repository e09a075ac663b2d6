"""What a change makes run again: that, what follows from it, and nothing else."""

import re
import shutil

import netCDF4
from restoring import changed

BEHIND_INFERENCE = {
    "predict_tiles",
    "assemble_product",
    "aggregate_product",
    "tabulate_totals",
    "evaluate_truth",
    "write_report",
}


def test_a_second_run_has_nothing_to_do(finished_run):
    assert finished_run.rules() == set()


def test_a_changed_era5_file_of_the_product_year_trains_nothing(finished_run):
    file = sorted((finished_run.folder / "results/demo_earth/era5/2002").glob("*.nc"))[0]
    with changed(file), netCDF4.Dataset(file, "r+") as data:
        name = next(name for name in data.variables if data[name].ndim == 3)
        data[name][0] = data[name][0] + 0.25
        data.sync()
        rules = finished_run.rules()
    assert {"prepare_era5", "assemble_cube"} | BEHIND_INFERENCE <= rules
    assert not rules & {"train_member", "train_fold", "prepare_modis", "harmonise_towers"}
    assert not any(rule.startswith("simulate") for rule in rules)


def test_a_further_year_adds_its_own_jobs_and_the_report(finished_run, tmp_path):
    overlay = tmp_path / "further.yaml"
    overlay.write_text("years: {product: [2002, 2003]}")
    files = ("--configfile", "workflow/config/smoke.yaml", str(overlay))
    assert finished_run.rules(*files) == {
        "simulate_era5", "simulate_modis", "simulate_truth", "prepare_era5", "prepare_modis",
        "assemble_cube", "extract_samples", "predict_tiles", "checksum_inputs", "list_inputs",
        "assemble_product", "aggregate_product", "test_product",
        # of all years together
        "tabulate_totals", "evaluate_sites", "evaluate_truth", "evaluate_intervals", "score_models",
        "adapt_held_out",
        "plot_product", "plot_sites", "plot_truth", "plot_intervals", "write_report",
        "write_model_card", "all",
    }  # fmt: skip
    messages = re.findall(r"^Job \d+: (.*)$", finished_run.snakemake("-n", *files).stdout, re.M)
    assert len(messages) > 20
    assert [message for message in messages if "2001" in message or "2002" in message] == []


def test_a_new_tower_trains_again_but_prepares_no_predictors(finished_run):
    towers = finished_run.folder / "results/demo_earth/towers"
    new = towers / "AMF_US-New_FLUXNET_2001-2002_v1.3_r1.zip"
    shutil.copy(sorted(towers.glob("*.zip"))[0], new)
    try:
        rules = finished_run.rules()
    finally:
        new.unlink()
    assert {"harmonise_towers", "train_member"} | BEHIND_INFERENCE <= rules
    assert not rules & {"prepare_era5", "prepare_modis", "assemble_cube", "prepare_static"}


def test_a_comment_changes_nothing_and_code_changes_what_follows(finished_run):
    module = finished_run.folder / "src/tamflux/inference/tiles.py"
    with changed(module):
        module.write_text("# a comment\n" + module.read_text())
        assert finished_run.rules() == set()
        module.write_text(module.read_text() + "\nCHANGED = True\n")
        rules = finished_run.rules()
    assert BEHIND_INFERENCE <= rules
    assert not rules & {"train_member", "extract_samples", "assemble_cube", "harmonise_towers"}


def test_a_comment_in_a_script_changes_nothing_and_its_code_what_follows(finished_run):
    script = finished_run.folder / "workflow/scripts/aggregate_product.py"
    with changed(script):
        script.write_text("# a comment\n" + script.read_text())
        assert finished_run.rules() == set()
        script.write_text(script.read_text() + "\nCHANGED = True\n")
        rules = finished_run.rules()
    assert {"aggregate_product", "tabulate_totals", "write_report"} <= rules
    assert not rules & {"assemble_product", "predict_tiles", "train_member"}


def test_other_words_in_an_error_change_nothing(finished_run):
    module = finished_run.folder / "src/tamflux/predictors/derived.py"
    message = re.compile(r'raise InputError\(\s*f?"([^"{]+)')
    readers = sorted((finished_run.folder / "src/tamflux/readers").glob("era5*.py"))
    reworded = next(path for path in readers if message.search(path.read_text()))
    errors = finished_run.folder / "src/tamflux/errors.py"
    with changed(reworded), changed(errors), changed(module):
        text = reworded.read_text()
        reworded.write_text(text.replace(message.search(text)[1], "in other words "))
        errors.write_text(errors.read_text() + "\nADDED = 1\n")
        assert finished_run.rules() == set()
        formula = module.read_text()
        module.write_text(formula + "\nADDED = 1\n")
        rules = finished_run.rules()
    assert {"prepare_era5", "assemble_cube", "extract_samples", "train_member"} <= rules
    assert not rules & {"harmonise_towers", "simulate_era5"}


def test_a_wrong_path_is_not_passed_over_for_results_that_exist(finished_run, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("inputs: {towers: {path: nowhere/*.zip}}")
    files = ("workflow/config/smoke.yaml", str(overlay))
    result = finished_run.snakemake("-n", "--configfile", *files)
    assert result.returncode != 0
    assert "no file matches a path of `inputs`" in result.stdout + result.stderr
