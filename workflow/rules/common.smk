# Shared by all: years, members, sites to compare models on, figures.
import sys
from glob import glob
from os.path import relpath
from pathlib import Path

from tamflux.config import check_config, use_released_model
from tamflux.errors import ConfigError
from tamflux.extra_predictors import dynamic_names
from tamflux.job import failures
from tamflux.provenance import code_hash
from tamflux.released import MANIFEST, ReleasedModel

use_released_model(config)
check_config(config)

RELEASED = None  # the released model that predicts; None where one is trained
if config["inference"]["model"]:
    RELEASED = ReleasedModel.read(config["inference"]["model"])

SPLIT_AND_SIZE = ("split", "members")
TRAINING = {
    key: value for key, value in config["training"].items() if key not in SPLIT_AND_SIZE
}
HOURLY_ERA5 = config["inputs"]["era5"]["kind"] != "daily_statistics"
CUBE_VARIABLES = dynamic_names(config)
GRID = {key: config["grid"][key] for key in ("resolution", "bbox")}
MEMBERS = {
    "tamrl": range(
        len(RELEASED.members) if RELEASED else config["training"]["members"]
    ),
    "lstm": range(1),
}
FOLDS = config["calibration"]["folds"]
SCORED_FOLDS = range(FOLDS) if config["training"]["split"] == "folds" else []
TRUTH = config["validation"]["truth"]  # null with real data: no part with the truth
REFERENCES = {
    reference["name"]: reference for reference in config["validation"]["references"]
}
REFERENCE_TABLE = "results/validation/reference_scores.csv"
REFERENCE_FIGURES = [
    "results/validation/figures/reference_zonal.png",
    *(f"results/validation/figures/reference_map_{name}.png" for name in REFERENCES),
]
FIGURES = {
    "maps": ["map_gpp", "map_reco", "map_nee", "map_std", "map_seasons"],
    "seasons": ["zonal_means", "seasonal_cycles"],
    "scores": [
        "site_scores",
        "site_means",
        "tower_series_gpp",
        "tower_series_reco",
        "tower_series_nee",
    ],
    "truth": ["truth_maps", "truth_skill", "truth_scatter", "truth_distance"],
    "intervals": [
        "interval_reliability",
        "interval_classes",
        "map_applicability",
        "applicability_error",
    ],
    "towers": ["tower_network"],
    "training": ["learning_curves"],
}
if not TRUTH:
    FIGURES["intervals"].remove("applicability_error")
OF_REPORT = [  # its sections with figures; a released model has neither towers nor curves here
    section
    for section in FIGURES
    if (TRUTH or section != "truth")
    and (not RELEASED or section in ("maps", "seasons"))
]
if len(MEMBERS["tamrl"]) == 1:  # which has no standard deviation
    FIGURES["maps"].remove("map_std")

RECORDED = {  # what the product says of its making
    key: config[key]
    for key in "seed grid inputs predictors towers model calibration".split()
} | {
    "product": {
        key: value
        for key, value in config["product"].items()
        if key not in ("members", "sites", "regions")
    },
    "training": {k: v for k, v in config["training"].items() if k != "device"},
    "years": {"train": config["years"]["train"]},
}
if RELEASED:
    RECORDED = {
        key: RECORDED[key]
        for key in ("seed", "grid", "inputs", "predictors", "product")
    } | {"model": config["inference"]["model"]}


def lookback_year(year):
    """The year whose cube is the look-back window of `year`: the year before, else `year`."""
    return int(year) - 1 if int(year) - 1 in CUBE_YEARS else int(year)


def with_lookback(years):
    """Years, and those of their look-back windows."""
    return sorted({*years, *map(lookback_year, years)})


YEARS = config["years"]
CUBE_YEARS = sorted({*YEARS["train"], *YEARS["product"], *YEARS["lookback"]})
TRAINING_YEARS = with_lookback(YEARS["train"])
EVALUATED_YEARS = with_lookback([*YEARS["train"], *YEARS["product"]])
PRODUCT_YEARS = sorted(YEARS["product"])
PERIODS = [  # first and last of the product years that follow each other
    (first, next(y for y in range(first, first + 1000) if y + 1 not in PRODUCT_YEARS))
    for first in PRODUCT_YEARS
    if first - 1 not in PRODUCT_YEARS
]


def stop(what, **details):
    """End with a ConfigError from an input function.

    Snakemake passes over an exception there where results of an earlier run exist.
    """
    sys.exit(str(ConfigError(what, **details)))


def code_of(script):
    """Identity of a script and of the code that it imports; see tamflux.provenance."""
    return code_hash(Path(workflow.basedir, f"workflow/scripts/{script}.py"))


def of_source(path):
    """A file of the source code, by its path from the folder of the run: both may move."""
    return relpath(Path(workflow.basedir, path))


def failures_of(rule):
    """How often a job of a rule has failed, as a parameter; see tamflux.job.failures."""
    unrecorded = object()  # Snakemake records no such value: most jobs never fail

    def of_job(wc):
        return failures(rule.expand_log(dict(wc.items()))[0]) or unrecorded

    return of_job


def checkpoints_of(wc):
    """Checkpoints of a model: the ensemble, or the one baseline."""
    return [
        f"results/models/{wc.model}_{member}.safetensors"
        for member in MEMBERS[wc.model]
    ]
