from tamflux.job import job

with job(snakemake, f"test product {snakemake.wildcards.year}") as log:
    import os
    import subprocess
    import sys
    from pathlib import Path

    from tamflux.errors import ContractError

    files = ["daily", "monthly", "annual", "totals", "static"]
    paths = {f"TAMFLUX_{name.upper()}": os.path.abspath(snakemake.input[name]) for name in files}
    paths["PYTEST_ADDOPTS"] = ""  # those of the user are meant for other tests
    tests = [Path(path) for path in snakemake.input.tests]
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    command += [test.name for test in tests]  # pytest takes brackets in a path for parameters
    folder, env = tests[0].parent, os.environ | paths
    run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    log.info(run.stdout + run.stderr)
    if run.returncode:
        raise ContractError("the product fails its tests", file=snakemake.input.daily)
    Path(snakemake.output.report).write_text(run.stdout)
