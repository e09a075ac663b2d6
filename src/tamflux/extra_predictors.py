"""Predictors that the configuration adds to those of ERA5 and MODIS: `predictors.extra`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tamflux.errors import ConfigError
from tamflux.variables import FLUXES, PREDICTORS, Variable

PREFIX = "extra_"
"""Prefix of a static predictor in `static.nc`, in tables of sites and among static features."""


@dataclass(frozen=True)
class ExtraPredictor:
    """One predictor of `predictors.extra`.

    Attributes
    ----------
    variable : Variable
        Name, unit, meaning and range in the cube.
    path : str or None
        Path pattern of its files, with {year} and wildcards; None in runs on site tables alone.
    file_variable : str or None
        Name in the files; None where a file holds a single field.
    is_static : bool
        Whether it does not change with time.
    regrid : str
        ``mean`` over the area of a cell, or ``bilinear`` at its centre where the file is coarser.
    fill : str
        Days between time steps: ``interpolate`` or ``none``.
    """

    variable: Variable
    path: str | None
    file_variable: str | None
    is_static: bool
    regrid: str
    fill: str

    @classmethod
    def from_config(cls, entry: Mapping[str, Any]) -> ExtraPredictor:
        """The predictor of an entry of `predictors.extra` (workflow/schemas/config.schema.yaml)."""
        low, high = entry["range"]
        return cls(
            Variable(entry["name"], entry["units"], entry["long_name"], low, high),
            entry.get("path"),
            entry.get("variable"),
            entry["kind"] == "static",
            entry.get("regrid", "mean"),
            entry.get("fill", "interpolate"),
        )

    @property
    def name(self) -> str:
        """Name of the predictor."""
        return self.variable.name


def extra_predictors(config: Mapping[str, Any]) -> tuple[ExtraPredictor, ...]:
    """The predictors of `predictors.extra` in a configuration."""
    return tuple(map(ExtraPredictor.from_config, config["predictors"].get("extra") or ()))


def dynamic_names(config: Mapping[str, Any]) -> list[str]:
    """Names of all dynamic predictors of a cube, in the order of the features."""
    extra = [each.name for each in extra_predictors(config) if not each.is_static]
    return [*config["predictors"]["variables"], *extra]


def check_extra_predictors(config: Mapping[str, Any]) -> None:
    """Refuse extra predictors that contradict each other, the catalogue or the configuration.

    Raises
    ------
    ConfigError
        Naming the predictor and how to correct it.
    """
    extra = extra_predictors(config)
    taken = {*config["predictors"]["variables"], *FLUXES}
    for each in extra:
        name, variable = each.name, each.variable
        if name in taken:
            _refuse(name, "the name is taken", "a name of its own", "rename or remove one")
        taken.add(name)
        if name.endswith("_filled"):
            _refuse(name, "a name that ends as those of flags do", "another name", "rename it")
        known = PREDICTORS.get(name)
        if known and known.units != variable.units:
            _refuse(
                name, f"units {variable.units!r}", f"{known.units!r}, as in the catalogue",
                "give it in this unit, or another name",
            )  # fmt: skip
        if variable.valid_min >= variable.valid_max:
            _refuse(
                name, f"range {[variable.valid_min, variable.valid_max]}",
                "the smallest and the largest possible value", "correct its range",
            )  # fmt: skip
        if each.is_static and (each.path and "{year}" in each.path):
            _refuse(
                name, f"path {each.path}", "one file, without {year}",
                "correct its path, or make it dynamic",
            )  # fmt: skip


def files_of_year(pattern: str, year: int, years: Mapping[str, Sequence[int]]) -> list[str]:
    """Path patterns of the files that a year is filled from.

    They are those of the year, of the year before, and of the year after if that trains: a later
    year that is of the product alone must not change results that exist. A file of all years is
    the same for each.

    Parameters
    ----------
    pattern : str
        Path with ``{year}``.
    year : int
    years : mapping
        The section `years` of the configuration.
    """
    near = [year, *[year + 1] * (year + 1 in years["train"])]
    near += [year - 1] * any(year - 1 in part for part in years.values())
    return sorted({pattern.replace("{year}", str(y)) for y in near})


def _refuse(name: str, found: str, expected: str, fix: str) -> None:
    raise ConfigError(
        "an extra predictor cannot be used", variable=f"predictors.extra: {name}",
        found=found, expected=expected, fix=fix,
    )  # fmt: skip
