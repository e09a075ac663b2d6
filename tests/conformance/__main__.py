"""Try a product in the tools of its users; print tool, verdict and numbers; exit 1 on a failure."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .commands import COMMANDS
from .conventions import CONVENTIONS
from .libraries import LIBRARIES
from .product import open_product
from .tool import FAILED, judge

TOOLS = (*CONVENTIONS, *COMMANDS, *LIBRARIES)


def main() -> int:
    """Number of the process: 0 where no tool failed. A tool that is not installed is no failure."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a product, with ilamb/ and Zarr copy")
    parser.add_argument("--tool", default="", help="tools whose name holds this, and no other")
    arguments = parser.parse_args()
    product = open_product(arguments.folder)
    print(f"{product.folder}, {product.year}")
    counts: Counter = Counter()
    for tool in (tool for tool in TOOLS if arguments.tool in tool.name):
        with tempfile.TemporaryDirectory() as folder:
            result = judge(tool, product, Path(folder))
        counts[result.verdict] += 1
        print(f"{tool.name:30s}{result.version:12s}{result.verdict:15s}{result.text}", flush=True)
    print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
    return int(counts[FAILED] > 0)


if __name__ == "__main__":
    sys.exit(main())
