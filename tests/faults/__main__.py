"""Make every fault on the chain; print a table; exit 1 where a run or a result was spoilt."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .cases import CASES
from .chain import Chain
from .kills import kill_at_random
from .report import HEADER


def main() -> int:
    """Number of the process: 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="kills over the chain")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", help="cases whose name holds this, and no other; `none`: kills")
    parser.add_argument("--folder", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        begun = time.monotonic()
        reference = Chain(folder / "undisturbed")
        if not reference.folder.exists():
            Chain.create(reference.folder)
        finished = reference.run()
        if finished.status:
            print(f"the undisturbed run fails: {finished.text[-5000:]}")
            return 1
        print(HEADER, flush=True)
        problems = 0
        if arguments.kills and not (arguments.case and arguments.case != "none"):
            outcome = kill_at_random(reference, folder / "kills", arguments.kills, arguments.seed)
            print(outcome.row(), flush=True)
            problems += len(outcome.problems)
        for case in CASES:
            if (arguments.case or "") in case.__name__:
                outcome = case(reference, folder / case.__name__)
                print(outcome.row(), flush=True)
                problems += len(outcome.problems)
    print(f"{problems} problems in {time.monotonic() - begun:.0f} s")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
