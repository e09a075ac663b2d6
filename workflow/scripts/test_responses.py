from tamflux.job import job

with job(snakemake, "test the responses of the members") as log:
    import os
    import subprocess
    import sys
    from pathlib import Path

    from tamflux.errors import ContractError

    test, given = Path(snakemake.input.tests), snakemake.input
    paths = {
        "TAMFLUX_MEMBERS": os.pathsep.join(map(os.path.abspath, given.members)),
        "TAMFLUX_SAMPLES": os.pathsep.join(map(os.path.abspath, given.samples)),
        "TAMFLUX_SITES": os.path.abspath(given.sites),
        "PYTEST_ADDOPTS": "",  # those of the user are meant for other tests
    }
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", test.name]
    env = os.environ | paths
    run = subprocess.run(command, cwd=test.parent, env=env, capture_output=True, text=True)
    log.info(run.stdout + run.stderr)
    if run.returncode:
        raise ContractError("the members fail their tests", file=test)
    Path(snakemake.output.report).write_text(run.stdout)
