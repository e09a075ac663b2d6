"""Products of others named in the configuration: checked, brought to our grid, in the report."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import Run
from reference_files import xbase
from test_check_inputs import problems

OVERLAY = """
validation:
  references:
    - {name: X-BASE, path: "xbase/*_{year}_050_monthly.nc", variables: {gpp: GPP, nee: NEE}}
"""
CONFIG = ("--configfile", "workflow/config/smoke.yaml", "overlay.yaml")


@pytest.fixture(scope="module")
def compared(finished_run, tmp_path_factory) -> Run:
    """A copy of the run beside a product that says 3 and -1 g m-2 d-1 everywhere, every month."""
    run = Run(tmp_path_factory.mktemp("compared") / "chain")
    shutil.copytree(finished_run.folder, run.folder, symlinks=True)
    (run.folder / "overlay.yaml").write_text(OVERLAY)
    xbase(run.folder / "xbase", lambda *a: 3 + 0 * sum(a), lambda *a: -1 + 0 * sum(a), step=2.0)
    return run


def test_the_report_holds_the_other_product_and_the_product_stays(compared):
    rules = compared.rules(*CONFIG)
    assert {"regrid_reference", "plot_references", "write_report"} <= rules
    assert not rules & {"train_member", "predict_tiles", "assemble_product"}
    result = compared.snakemake(*CONFIG)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    scores = compared.folder / "results/validation/reference_scores.csv"
    table = pd.read_csv(scores).set_index("flux")
    assert list(table["derived"]) == [0, 1, 0]  # RECO follows
    petagrams = np.array([3.0, 2.0, -1.0]) * 365 * table["area_mkm2"] * 1e12 * 1e-15
    np.testing.assert_allclose(table["reference_total"], petagrams, rtol=1e-5)
    np.testing.assert_allclose(table["area_share"], 1, atol=0.01)
    report = (compared.folder / "results/report.html").read_text()
    assert report.count("X-BASE") > 3


@pytest.mark.slow
def test_check_reads_the_headers_of_the_other_product(compared):
    path = compared.folder / "xbase/GPP_2002_050_monthly.nc"
    assert compared.snakemake("check", *CONFIG).returncode == 0
    path.write_bytes(path.read_bytes()[:500])
    result = compared.snakemake("check", *CONFIG)
    assert result.returncode != 0
    rows = [(row, text) for row, text in problems(result) if row.startswith("reference X-BASE")]
    assert any("WRONG" in row and path.name in text for row, text in rows)
