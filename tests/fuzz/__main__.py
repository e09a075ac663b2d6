"""Try damaged inputs on every reader of raw files; print a table; exit 1 where a reader failed."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from .batches import run_inputs
from .believable import BELIEVED, NO_EVIDENCE, NOTICED, try_believable
from .believable_era5 import ERA5
from .believable_land import LAND
from .believable_modis import MODIS
from .believable_references import REFERENCES
from .believable_sites import SITES
from .contracts import CONTRACT_READERS
from .era5 import ERA5_READERS
from .land import LAND_READERS
from .modis import MODIS_READERS
from .real import REAL_READERS
from .references import REFERENCE_READERS
from .sites import SITE_READERS
from .towers import TOWER_READERS
from .trial import BAD, GOOD

READERS = (
    *ERA5_READERS, *MODIS_READERS, *LAND_READERS, *TOWER_READERS, *SITE_READERS,
    *REFERENCE_READERS, *CONTRACT_READERS, *REAL_READERS,
)  # fmt: skip
BELIEVABLE = (*ERA5, *MODIS, *LAND, *SITES, *REFERENCES)


def main() -> int:
    """Number of the process: 0 where no input led to an outcome of `BAD`."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=120, help="damaged inputs a reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", help="readers whose name holds this, and no other")
    parser.add_argument("--believable", type=int, default=48,
                        help="inputs a reader that are believable but wrong")  # fmt: skip
    arguments = parser.parse_args()
    readers = [r for r in READERS if (arguments.reader or "") in r.name]
    counts: Counter = Counter()
    print(_row("reader", ["inputs", *GOOD, *BAD, "s"]), flush=True)
    for reader in readers:
        begun = time.monotonic()
        for result in run_inputs(reader, arguments.inputs, arguments.seed):
            counts[reader.name, result.outcome] += 1
            if result.outcome in BAD:
                print(f"{result.outcome}: input {result.number} of {reader.name}, {result.how}")
                print(f"  {result.text}", flush=True)
        numbers = [counts[reader.name, outcome] for outcome in (*GOOD, *BAD)]
        spent = f"{time.monotonic() - begun:.0f}"
        print(_row(reader.name, [arguments.inputs, *numbers, spent]), flush=True)
    totals = [sum(counts[r.name, outcome] for r in readers) for outcome in (*GOOD, *BAD)]
    if arguments.inputs:
        print(_row("all", [sum(totals), *totals, ""]))
    believable = [r for r in BELIEVABLE if (arguments.reader or "") in r.name]
    believed = try_believable_inputs(believable, arguments.believable, arguments.seed)
    return int(any(totals[len(GOOD) :]) or believed > 0)


def try_believable_inputs(readers: list, n: int, seed: int) -> int:
    """Print the shares of believable but wrong inputs by outcome; the number of those that fail."""
    counts: Counter = Counter()
    outcomes = [*NOTICED, NO_EVIDENCE, BELIEVED]
    print(_row("\nbelievable but wrong", ["inputs", *outcomes]), flush=True)
    for reader in readers if n else []:
        for result in run_inputs(reader, n, seed, attempt=try_believable):
            counts[reader.name, result.outcome] += 1
            if result.outcome in (BELIEVED, *BAD):
                print(f"{result.outcome}: input {result.number} of {reader.name}, {result.how}")
                print(f"  {result.text}", flush=True)
        numbers = [counts[reader.name, outcome] for outcome in outcomes]
        print(_row(reader.name, [n, *numbers]), flush=True)
        for kind, reason in reader.no_evidence.items():
            print(f"  no evidence of {kind!r}: {reason}")
    totals = [sum(counts[reader.name, outcome] for reader in readers) for outcome in outcomes]
    tried = n * len(readers)
    print(_row("all", [tried, *(f"{number / max(1, tried):.1%}" for number in totals)]))
    return tried - sum(totals[:-1])


def _row(name: str, cells: list) -> str:
    return f"{name:26s}" + "".join(f"{cell!s:>15s}" for cell in cells)


if __name__ == "__main__":
    sys.exit(main())
