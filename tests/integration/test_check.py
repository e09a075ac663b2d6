"""`snakemake check`: one table, before any work."""

from restoring import changed


def check(run, overlay=None):
    extra = [str(overlay)] if overlay else []
    return run.snakemake("check", "--configfile", "workflow/config/smoke.yaml", *extra)


def test_sound_inputs_are_ready(finished_run):
    result = check(finished_run)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["ERA5", "2001", "11", "ok"] in rows and ["ERA5", "2002", "11", "ok"] in rows
    assert ["MODIS", "2001", "23", "ok"] in rows
    assert "30 sites" in result.stdout and "ready to run" in result.stdout


def test_every_problem_is_listed_at_once(finished_run, tmp_path):
    results = finished_run.folder / "results/demo_earth"
    era5 = sorted((results / "era5/2002").glob("*.nc"))[0]
    tower = sorted((results / "towers").glob("*.zip"))[0]
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text('inputs: {koppen: "nowhere.tif"}\n')
    with changed(era5), changed(tower):
        era5.write_bytes(era5.read_bytes()[:1000])
        tower.write_bytes(b"no zip")
        result = check(finished_run, overlay)
    assert result.returncode != 0
    lines = result.stdout.splitlines()
    assert any("ERA5" in line and "WRONG" in line and era5.name in line for line in lines)
    assert any("towers" in line and "rejected" in line for line in lines)
    assert any("land surface" in line and "nowhere.tif" in line for line in lines)
    assert "problems that would stop the run" in result.stdout
