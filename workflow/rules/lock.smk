# One run at a time in a folder; a lock that a killed run has left is removed.
#
# The system frees the lock of a process that dies. Nobody holds it: then the locks in Snakemake's
# folder are of a killed run, and `--unlock` is not needed.
import sys
from contextlib import ExitStack

from tamflux.errors import TamfluxError
from tamflux.files import exclusive

RUN_LOCK = {
    "lock": ".snakemake/run.lock",
    "what": "another run works in this folder",
    "file": Path.cwd(),
}
RUNNING = ExitStack()

if workflow.is_main_process:
    try:
        with exclusive(**RUN_LOCK):
            for stale in Path(".snakemake/locks").glob("*.lock"):
                stale.unlink()
    except TamfluxError as error:
        print(error, file=sys.stderr)


onstart:
    RUNNING.enter_context(exclusive(**RUN_LOCK))
