"""Calibrations of the intervals whose widths are known by hand."""

from collections.abc import Callable, Mapping, Sequence

from tamflux.uncertainty.calibration import GROSS_FLUX_KNOTS, LEVELS, UNKNOWN, Calibration
from tamflux.variables import FLUXES

OF_MEANS = {1.0: 1.0, 30.0: 0.75, 365.0: 0.25}
"""Width of means over so many days, over that of a day."""


def make_calibration(
    difficulty: Mapping[str, Sequence[float]] | Sequence[float],
    quantile: Callable[[float], float] = lambda level: 2 * level / 0.9,
    classes: Mapping[str, float] | None = None,
) -> Calibration:
    """Quantiles of a day by level, those of `classes` multiplied by a factor."""
    factors = {UNKNOWN: 1.0} | dict(classes or {})
    of_class = {
        name: {
            str(level): [factor * quantile(level) * part for part in OF_MEANS.values()]
            for level in LEVELS
        }
        for name, factor in factors.items()
    }
    if not isinstance(difficulty, Mapping):
        difficulty = {flux: list(difficulty) for flux in FLUXES}
    return Calibration(
        GROSS_FLUX_KNOTS,
        {flux: list(values) for flux, values in difficulty.items()},
        {flux: list(OF_MEANS) for flux in FLUXES},
        {flux: of_class for flux in FLUXES},
        (0.1, 0.05),
    )
