"""Inputs that are believable but wrong: sound files whose numbers are of something else.

Scaled (sums and means, units), shifted by hours or days, turned around, another statistic, another
version, a part of the region or of the time missing. Each has to be noticed (refused), flagged
(listed among the rejections) or harmless: no array then differs by more than `HARMLESS` of its
spread. What is believed fails, unless no independent evidence of it can exist.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tamflux.errors import TamfluxError

from .trial import REJECTIONS, Reader

NOTICED = ("noticed", "flagged", "harmless")
BELIEVED, NO_EVIDENCE = "believed", "no evidence"
HARMLESS = 0.25
"""Root mean square difference, in standard deviations of the undamaged array: over time in each
place where there are 20 times or more, else over all values. A value that is missing where the
damage removed it is honest, and does not count."""
MIN_TIMES = 20

Damage = Callable[[Path, np.random.Generator], str]
"""Damages files of a folder believably, and says how."""


@dataclass(frozen=True)
class Believable(Reader):
    """A reader, plausible input for it, and damages by their kind.

    Attributes
    ----------
    damages : mapping
        Damages by kind.
    no_evidence : mapping
        Why nothing can tell the damage, by kind, where that is so.
    """

    damages: Mapping[str, Damage] = field(default_factory=dict)
    no_evidence: Mapping[str, str] = field(default_factory=dict)


def try_believable(
    reader: Believable, number: int, seed: int, whole: Path, expected: dict
) -> tuple[str, str, str]:
    """Damage a copy of the folder `whole` believably and read it.

    Returns
    -------
    how, outcome, text : str
        The damage, one of `NOTICED`, `BELIEVED` or `NO_EVIDENCE`, and what the reader said.
    """
    rng = np.random.default_rng([seed, number, *reader.name.encode()])
    kind = list(reader.damages)[number % len(reader.damages)]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "input"
        shutil.copytree(whole, folder)
        how = f"{kind}: {reader.damages[kind](folder, rng)}"
        try:
            values = reader.read(folder)
        except TamfluxError as error:
            return how, "noticed", str(error)
        except BaseException as error:
            return how, "traceback", f"{error!r}\n{traceback.format_exc(limit=-4)}"
    if set(values.get(REJECTIONS, ())) - set(expected.get(REJECTIONS, ())):
        return how, "flagged", ""
    worst = {name: _difference(values, expected, name) for name in expected if name != REJECTIONS}
    name = max(worst, key=worst.__getitem__)
    text = f"{name} differs by {worst[name]:.3g} standard deviations"
    if worst[name] <= HARMLESS:
        return how, "harmless", text
    return how, NO_EVIDENCE if kind in reader.no_evidence else BELIEVED, text


def _difference(values: dict, expected: dict, name: str) -> float:
    """Root mean square difference of an array, in standard deviations of the expected one."""
    then, now = expected[name], values.get(name)
    if now is None or now.shape != then.shape or now.dtype.kind not in "fiu":
        return 0.0 if now is not None and np.array_equal(now, then) else np.inf
    if np.isnan(now).all() and not np.isnan(then).all():
        return np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # places without data
        over_time = then.ndim == 3 and len(then) >= MIN_TIMES
        variance = np.nanmean(np.nanvar(then, axis=0 if over_time else None))
        size = np.sqrt(np.nanmean((now.astype(float) - then) ** 2))
    return 0.0 if not size > 0 else float(size / (np.sqrt(variance) or 1.0))


def with_warnings(read: Callable) -> Callable:
    """A reader that lists its warnings, and the site-days with filled weather, as rejections."""

    def read_and_list(folder: Path) -> dict[str, np.ndarray]:
        records: list[logging.LogRecord] = []
        log, handler = logging.getLogger("tamflux"), logging.Handler(logging.WARNING)
        handler.emit = records.append
        logging.disable(logging.NOTSET)
        log.addHandler(handler)
        try:
            values = read(folder)
        finally:
            log.removeHandler(handler)
            logging.disable()
        filled = sum(np.nansum(v) for name, v in values.items() if name.startswith("filled@"))
        said = [record.getMessage().replace(str(folder), "") for record in records]
        listed = values.get(REJECTIONS, ())
        return values | {REJECTIONS: [*listed, *said, f"filled: {filled:g}"]}

    return read_and_list
