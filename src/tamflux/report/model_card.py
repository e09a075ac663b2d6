"""The model card: what the ensemble was trained on, how, and how well it predicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from safetensors import safe_open

import tamflux
from tamflux.extra_predictors import PREFIX
from tamflux.files import atomic_path
from tamflux.report.tables import score_interval
from tamflux.samples.splits import FOLDS, tower_roles


def write_model_card(
    checkpoints: Sequence[str | Path],
    sites: str | Path,
    scores: str | Path,
    site_scores: str | Path,
    calibration: str | Path,
    output: str | Path,
    *,
    years: Sequence[int],
    demo: bool,
) -> None:
    """Write the card of an ensemble as Markdown.

    Parameters
    ----------
    checkpoints : sequence of path
        Members of the ensemble.
    sites : path
        `results/samples/sites.csv`.
    scores, site_scores : path
        `results/validation/scores.csv` and `site_scores.csv`.
    calibration : path
        `results/models/calibration.json`.
    output : path
        Markdown file to write.
    years : sequence of int
        Years of training.
    demo : bool
        Whether the towers are those of the demo Earth.
    """
    specs = [read_spec(path) for path in checkpoints]
    spec = specs[0]
    _, _, off = spec["model"].partition("_without_")
    table = pd.read_csv(scores)
    overall = table[(table["group"] == "all") & (table["model"] != "msc")].to_dict("records")
    of_sites = pd.read_csv(site_scores)
    for row in overall:
        row["interval"] = score_interval(of_sites, row["model"], row["flux"]) or "-"
    classes = _count_classes(
        pd.read_csv(sites), spec["training_sites"], spec["provenance"]["split"]
    )
    settings = {**spec["provenance"]["model"], **spec["provenance"]["training"]}
    text = _template().render(
        version=tamflux.__version__,
        members=len(specs),
        spec=spec,
        off=off,
        extra=[name for name in spec["static_features"] if name.startswith(PREFIX)],
        seeds=[each["provenance"]["seed"] for each in specs],
        settings=", ".join(f"{name} {value}" for name, value in sorted(settings.items())),
        source="towers of the demo Earth (synthetic)" if demo else "the towers of this run",
        held_out=sum(row["test"] for row in classes),
        by_folds=spec["provenance"]["split"] == FOLDS,
        years=years,
        classes=classes,
        scores=overall,
        about=json.loads(Path(calibration).read_text())["about"],
        demo=demo,
    )
    with atomic_path(output) as partial:
        Path(partial).write_text(text)


def read_spec(checkpoint: str | Path) -> dict[str, Any]:
    """The specification in the header of a checkpoint; the weights are not read."""
    with safe_open(checkpoint, framework="numpy") as file:
        header = json.loads(file.metadata()["tamflux"])["header"]
    return {"optional": [], "monthly": []} | header  # what checkpoints of 0.2.0 do not say


def _count_classes(
    sites: pd.DataFrame, training_sites: Sequence[str], split: str
) -> list[Mapping[str, Any]]:
    """Number of training and held-out sites of each land-cover class."""
    train = sites["site_id"].isin(training_sites)
    test = tower_roles(sites, split) != "train"
    counts = pd.DataFrame({"igbp": sites["igbp"], "train": train, "test": test})
    return counts.groupby("igbp", as_index=False).sum().to_dict("records")


def _template():
    """The template; Markdown needs no escaping, and undefined names are errors."""
    source = (files("tamflux.report") / "templates" / "model_card.md.j2").read_text()
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(source)
