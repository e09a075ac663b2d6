"""Imports point one way; see docs/architecture.md."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tamflux"

FOUNDATIONS = {
    "errors", "files", "logs", "grid", "variables", "units", "config", "provenance", "checksums",
    "solar",
    "climatology", "extra_predictors", "released",
}  # fmt: skip
MAY_IMPORT = {
    **dict.fromkeys(FOUNDATIONS, FOUNDATIONS),
    "model": {"errors"},
    "readers": FOUNDATIONS,
    "demo_earth": FOUNDATIONS | {"readers"},
    "predictors": FOUNDATIONS | {"readers"},
    "towers": FOUNDATIONS | {"readers"},
    "samples": FOUNDATIONS | {"readers", "predictors", "towers"},
    "training": FOUNDATIONS | {"samples", "model", "predictors"},
    "baselines": FOUNDATIONS | {"adaptation", "samples", "training", "model"},
    "adaptation": FOUNDATIONS | {"predictors", "samples", "training", "model", "towers"},
    "uncertainty": FOUNDATIONS | {"training", "samples"},
    "inference": FOUNDATIONS | {"uncertainty", "training", "predictors"},
    "product": FOUNDATIONS | {"readers", "uncertainty", "inference", "predictors", "training"},
    "evaluation": FOUNDATIONS
    | {"product", "inference", "uncertainty", "training", "samples", "predictors", "readers"},
    "figures": FOUNDATIONS
    | {"adaptation", "evaluation", "product", "predictors", "uncertainty", "samples"},
    "report": FOUNDATIONS
    | {"adaptation", "figures", "evaluation", "product", "predictors", "readers", "samples"}
    | {"uncertainty"},
    "job": FOUNDATIONS,
    "download": FOUNDATIONS | {"readers", "demo_earth"},
    "check": FOUNDATIONS | {"readers", "demo_earth", "predictors", "towers", "samples", "download"},
    "cli": FOUNDATIONS | {"adaptation", "api", "evaluation", "figures", "product", "training"},
    "api": FOUNDATIONS | {"predictors", "training", "figures"},  # for notebooks: no room imports it
}
FORBIDDEN = {
    "snakemake": set(MAY_IMPORT),
    "torch": set(MAY_IMPORT)
    - {"model", "training", "baselines", "uncertainty", "inference", "evaluation", "adaptation"},
    "matplotlib": set(MAY_IMPORT) - {"figures", "report", "api", "cli"},
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            if node.module == "tamflux":
                yield from (f"tamflux.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix()
)
def test_arrows_point_one_way(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    room = parts[0]
    if room == "__init__":
        return
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "tamflux" and rest and rest[0] != room and rest[0] != "__version__":
            assert rest[0] in MAY_IMPORT[room], f"{room} must not import tamflux.{rest[0]}"
        for package, rooms in FORBIDDEN.items():
            assert not (top == package and room in rooms), f"{room} must not import {package}"
