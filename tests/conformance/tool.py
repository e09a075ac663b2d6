"""A tool, and the verdict on its results for a product."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .product import Product

PASSED, FAILED, ABSENT = "passed", "FAILED", "not installed"
TOLERANCE = 1e-5
"""Relative: many tools compute with single precision or their own radius of the Earth."""


@dataclass(frozen=True)
class Tool:
    """A tool of users: how to find it, and its expected results.

    `compute` gets a product and a folder to write to. It returns numbers under the names of
    `Product.expected`, or problems in words (a list, empty where all is well).
    """

    name: str
    probe: tuple[str, ...]
    """Command that ends well where the tool is installed and prints its version."""
    package: str | None
    """Package of the distribution; None where the project's own environment must have it."""
    compute: Callable[[Product, Path], Mapping[str, float] | list[str]]


@dataclass(frozen=True)
class Verdict:
    """What became of a tool, and why."""

    verdict: str
    version: str = ""
    text: str = ""


def judge(tool: Tool, product: Product, folder: Path) -> Verdict:
    """Run a tool on a product and compare its numbers with the expected ones."""
    try:
        version = _version(run(*tool.probe))
    except (OSError, RuntimeError) as error:
        if tool.package is None:
            return Verdict(FAILED, text=f"not installed: {error}")
        return Verdict(ABSENT, text=f"apt-get install {tool.package}")
    try:
        found = tool.compute(product, folder)
    except (RuntimeError, ValueError, LookupError) as error:
        return Verdict(FAILED, version, f"{type(error).__name__}: {error}")
    if isinstance(found, list):
        return Verdict(FAILED if found else PASSED, version, "; ".join(found) or "no finding")
    wrong = {
        name: value
        for name, value in found.items()
        if not math.isclose(value, product.expected[name], rel_tol=TOLERANCE, abs_tol=1e-9)
    }
    texts = [f"{name} {value:.9g}" for name, value in found.items() if name not in wrong]
    texts += [f"{n} {v:.9g}, not {product.expected[n]:.9g}" for n, v in wrong.items()]
    return Verdict(FAILED if wrong or not found else PASSED, version, "; ".join(texts))


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Standard output of a command; RuntimeError with its errors where it fails."""
    environment = os.environ | {
        "GDAL_PAM_ENABLED": "NO",  # no .aux.xml next to the product
        "QT_QPA_PLATFORM": "offscreen",
        "OMPI_MCA_ess_singleton_isolated": "1",  # MPI without its daemon
    }
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-600:]}")
    return done.stdout


def numbers(text: str) -> list[float]:
    """The numbers that a command printed, one a line or word."""
    return [float(word) for word in text.split()]


def python(*arguments: str) -> tuple[str, ...]:
    """Command of the Python that runs this."""
    return (sys.executable, *arguments)


def _version(text: str) -> str:
    found = re.search(r"\d+\.\d+(\.\d+)?", text)
    return found[0] if found else ""
