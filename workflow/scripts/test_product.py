from tamflux.job import job

with job(snakemake, f"test product {snakemake.wildcards.year}") as log:
    import os
    import subprocess
    import sys
    from pathlib import Path

    from tamflux.errors import ContractError

    files = ["daily", "monthly", "annual", "totals", "static"]
    paths = {f"TAMFLUX_{name.upper()}": snakemake.input[name] for name in files}
    paths["PYTEST_ADDOPTS"] = ""  # those of the user are meant for other tests
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *snakemake.input.tests], env=os.environ | paths, capture_output=True, text=True
    )
    log.info(run.stdout + run.stderr)
    if run.returncode:
        raise ContractError("the product fails its tests", file=snakemake.input.daily)
    Path(snakemake.output.report).write_text(run.stdout)
