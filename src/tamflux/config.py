"""Checks of the configuration that span several keys; types and ranges are in the JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tamflux.errors import ConfigError
from tamflux.extra_predictors import check_extra_predictors
from tamflux.grid import Grid
from tamflux.variables import METEOROLOGY, REFLECTANCE

RENAMED = {
    "years.spinup": "years.lookback",
    "model.code_size": "model.embedding_size",
}
"""Keys of 0.1.0, and their names since."""
RENAMED_MODELS = {
    "tamrl_without_code": "tamrl_without_task_embedding",
    "tamrl_without_memory": "tamrl_without_moving_averages",
    "tamrl_without_spinup": "tamrl_without_warm_up",
    "tamrl_without_year_code": "tamrl_without_yearly_embedding",
}
"""Models of `comparison.models` in 0.1.0, and their names since."""


def refuse_old_names(config: Mapping[str, Any]) -> None:
    """Refuse keys and models by the names of an earlier version.

    Parameters
    ----------
    config : mapping
        The configuration, before its validation: the schema would call an old key unknown.

    Raises
    ------
    ConfigError
        Naming the new name.
    """
    for old, new in RENAMED.items():
        section, key = old.split(".")
        if key in (config.get(section) or {}):
            raise ConfigError(
                "a key of the configuration has a new name",
                found=old, expected=new, fix=f"write {new} in its place",
            )  # fmt: skip
    for old in (config.get("comparison") or {}).get("models") or []:
        if old in RENAMED_MODELS:
            raise ConfigError(
                "a model of comparison.models has a new name",
                found=old, expected=RENAMED_MODELS[old],
                fix=f"write {RENAMED_MODELS[old]} in its place",
            )  # fmt: skip


def partial_year(years: Mapping[str, Any]) -> int | None:
    """The year whose files may end early: the last one, if it is of the product alone.

    Parameters
    ----------
    years : mapping
        The section `years` of the configuration.
    """
    last = max(year for part in years.values() for year in part)
    return last if last in years["product"] and last not in years["train"] else None


def use_released_model(config: dict[str, Any]) -> None:
    """Leave out what a run with a released model does not do: train, and compare with the truth.

    Years of training become look-back windows where a product year follows them. Towers are not
    read.

    Parameters
    ----------
    config : dict
        The validated configuration; it is changed where it names a model.
    """
    if config["inference"]["model"]:
        years = config["years"]
        before = [year for year in years["train"] if year + 1 in years["product"]]
        lookback = {*before, *years["lookback"]} - {*years["product"]}
        config["years"] = years | {"train": [], "lookback": sorted(lookback)}
        config["inputs"] = config["inputs"] | {"towers": {"path": None, "sites": None}}
        config["validation"] = config["validation"] | {"truth": None}


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse a configuration that contradicts itself.

    Parameters
    ----------
    config : mapping
        The validated configuration (workflow/schemas/config.schema.yaml).

    Raises
    ------
    ConfigError
        Naming the key, what was found and how to correct it.
    """
    grid = Grid.from_config(config["grid"])
    years = config["years"]
    for year in years["lookback"]:
        if year in years["train"] or year in years["product"]:
            raise ConfigError(
                "years.lookback repeats a year of years.train or years.product",
                found=year,
                fix="remove it from years.lookback; every year also serves the year after it",
            )
        if not any(year + 1 in years[use] for use in ("train", "product")):
            raise ConfigError(
                "years.lookback holds a year whose following year is not used",
                found=year,
                expected=f"{year + 1} in years.train or years.product",
                fix="remove the year or add the year after it",
            )
    if not config["inputs"]["towers"]["path"] and not config["inference"]["model"]:
        raise ConfigError(
            "a model cannot be trained without towers",
            variable="inputs.towers.path",
            found="null",
            fix="name the tower files, or a released model in inference.model",
        )
    if config["real_towers"] and config["carbonfluxbench"]:
        raise ConfigError(
            "models cannot be compared on two tables at once",
            found="real_towers and carbonfluxbench",
            fix="leave one of them null",
        )
    models = set(config["comparison"]["models"])
    if "lstm_trees" in models:
        boosted = {"catboost", "lightgbm", "xgboost"}
        if "continuous_lstm" not in models or not models & boosted:
            raise ConfigError(
                "comparison.models has lstm_trees without the models that it averages",
                found=sorted(models),
                expected="continuous_lstm and at least one of " + ", ".join(sorted(boosted)),
                fix="add them, or take lstm_trees out",
            )
    variables = set(config["predictors"]["variables"])
    for source, names in {"ERA5": METEOROLOGY, "MODIS": REFLECTANCE}.items():
        if not variables & set(names):
            raise ConfigError(
                f"predictors.variables has no variable of {source}",
                found=sorted(variables),
                expected=f"at least one of {', '.join(names)}",
                fix="add one to predictors.variables",
            )
    check_extra_predictors(config)
    rows, cols = grid.shape
    if config["grid"]["tile_size"] > max(rows, cols):
        raise ConfigError(
            "grid.tile_size is larger than the grid",
            found=f"{config['grid']['tile_size']} cells, grid of {rows} x {cols} cells",
            fix=f"choose at most {max(rows, cols)}",
        )
