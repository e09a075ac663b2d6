from tamflux.job import job

with job(snakemake, "test the responses of the members") as log:
    import os
    import subprocess
    import sys
    from pathlib import Path

    from tamflux.errors import ContractError

    paths = {
        "TAMFLUX_MEMBERS": os.pathsep.join(snakemake.input.members),
        "TAMFLUX_SAMPLES": os.pathsep.join(snakemake.input.samples),
        "TAMFLUX_SITES": snakemake.input.sites,
        "PYTEST_ADDOPTS": "",  # those of the user are meant for other tests
    }
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    command.append(snakemake.input.tests)
    run = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True)
    log.info(run.stdout + run.stderr)
    if run.returncode:
        raise ContractError("the members fail their tests", file=snakemake.input.tests)
    Path(snakemake.output.report).write_text(run.stdout)
