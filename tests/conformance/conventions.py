"""CF and ACDD by compliance-checker, and the findings that have no cure."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from .product import Product
from .tool import Tool, run

NO_CURE = {
    r'variable "(reco|nee)" .* standard_name': "CF names neither total respiration nor NEE",
    r'variable "\w+_(std|pi90_halfwidth)" .* standard_name':
        "CF has no modifier for an ensemble standard deviation or the half-width of an interval",
    r'variable "(applicability|dissimilarity_index)" .* standard_name': "CF has no name for them",
    r"geospatial_(bounds_)?vertical_\w+ not present": "the fluxes have no vertical axis",
    r"geospatial_l(at|on)_\w+ value": "edges of cells are compared with their centres",
    r"time_coverage_end": "the end of the last step is compared with its start",
}  # fmt: skip
"""Findings of ACDD that would be wrong to cure, and why; docs/product.md says more."""

_CHECKER = (f"{Path(sys.executable).parent}/compliance-checker",)


def findings(suite: str, path: Path, folder: Path) -> list[str]:
    """Findings of compliance-checker about a file, one sentence each."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    options = ("-t", suite, "-c", "normal", "-f", "json", "-o", report)
    try:
        run(*_CHECKER, *options, path)
    except RuntimeError:  # findings too
        if not report.exists():
            raise
    groups = json.loads(report.read_text())[suite]
    failed = [
        item
        for level in ("high_priorities", "medium_priorities")
        for item in groups[level]
        if item["value"][0] < item["value"][1]
    ]
    return [f"{item['name']} {text}".strip() for item in failed for text in item["msgs"]]


def _check_cf(product: Product, folder: Path) -> list[str]:
    paths = [product.path(step) for step in ("daily", "monthly", "annual")] + product.ilamb
    return [f"{path.name}: {text}" for path in paths for text in findings("cf:1.11", path, folder)]


def _check_acdd(product: Product, folder: Path) -> list[str]:
    return [
        f"{path.name}: {text}"
        for path in (product.path(step) for step in ("daily", "monthly", "annual"))
        for text in findings("acdd:1.3", path, folder)
        if not any(re.search(pattern, text) for pattern in NO_CURE)
    ]


CONVENTIONS = (
    Tool("compliance-checker, CF-1.11", (*_CHECKER, "--version"), None, _check_cf),
    Tool("compliance-checker, ACDD-1.3", (*_CHECKER, "--version"), None, _check_acdd),
)
