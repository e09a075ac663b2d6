"""`snakemake check`: one table, before any work."""

from restoring import changed


def check(run, overlay=None):
    extra = [str(overlay)] if overlay else []
    return run.snakemake("check", "--configfile", "workflow/config/smoke.yaml", *extra)


def problems(result):
    """(row, problem) of each row of the table; the problem is below its row, indented."""
    rows = []
    for line in result.stdout.splitlines():
        if line.startswith("    ") and rows:
            rows[-1][1] += f" {line.strip()}"
        elif line.strip():
            rows.append([line, ""])
    return rows


def test_sound_inputs_are_ready(finished_run):
    result = check(finished_run)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["ERA5", "2001", "11", "ok"] in rows and ["ERA5", "2002", "11", "ok"] in rows
    assert ["MODIS", "2001", "23", "ok"] in rows
    assert "30 sites, " in result.stdout and "ready to run" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    log = (finished_run.folder / "results/logs/check.log").read_text()
    assert "30 sites, " in log and log.endswith("ready to run\n")


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
    rows = problems(result)
    assert any("ERA5" in row and "WRONG" in row and era5.name in text for row, text in rows)
    assert any("towers" in row and "rejected" in row for row, _ in rows)
    assert any("land surface" in row and "nowhere.tif" in row for row, _ in rows)
    assert "problems that would stop the run" in result.stdout
