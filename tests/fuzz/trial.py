"""One damaged input, and the judgement of what its reader makes of it."""

from __future__ import annotations

import shutil
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tamflux.errors import TamfluxError

from .damage import damage
from .edits import can_edit, draw_edits, edit_file

GOOD = ("identical", "in range", "refused", "listed")
BAD = ("wrong accepted", "traceback", "hang", "abort", "silent NaN", "out of range")

REJECTIONS = "rejections"
"""Key of the strings that a reader lists as rejected, among its values."""


@dataclass(frozen=True)
class Reader:
    """A reader of raw files and the small input it is tried with.

    Attributes
    ----------
    write : callable
        Writes the valid input to an empty folder.
    read : callable
        Arrays by name from the folder, as later stages get them; fields are (time, ...) or plain.
    ranges : mapping
        Least and greatest possible value of each array; the part of a name before ``@`` counts.
        Arrays without one have to be finite.
    faults : mapping
        Faults of content by name: each changes files of the folder, and the reader has to refuse
        them or list a rejection.
    files : str
        Glob of the files whose bytes are damaged.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], dict[str, np.ndarray]]
    ranges: Mapping[str, tuple[float, float]]
    faults: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)
    files: str = "*"


def try_input(
    reader: Reader, number: int, seed: int, whole: Path, expected: dict
) -> tuple[str, str, str]:
    """Damage a copy of the folder `whole` and read it.

    Every fifth input has the next of the reader's faults, two more of five have edits that
    hypothesis draws, the others damaged bytes; input `number` of a seed is always the same.

    Returns
    -------
    how, outcome, text : str
        The damage, one of `GOOD` or `BAD`, and what the reader said.
    """
    rng = np.random.default_rng([seed, number, *reader.name.encode()])
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "input"
        shutil.copytree(whole, folder)
        fault = None
        if reader.faults and number % 5 == 0:
            fault = how = list(reader.faults)[number // 5 % len(reader.faults)]
            reader.faults[fault](folder)
        else:
            files = [path for path in sorted(folder.glob(reader.files)) if path.is_file()]
            file = files[rng.integers(len(files))]
            how = _change(file, number, rng)
        try:
            values = reader.read(folder)
        except TamfluxError as error:
            return how, "refused", str(error)
        except BaseException as error:
            return how, "traceback", f"{error!r}\n{traceback.format_exc(limit=-4)}"
    outcome, text = judge(values, expected, reader.ranges)
    if fault and outcome in ("identical", "in range"):
        outcome = "wrong accepted"
    return how, outcome, text


def _change(file: Path, number: int, rng: np.random.Generator) -> str:
    """Edit a file, or damage its bytes or those of a member of a zip; what was done."""
    if number % 5 in (1, 2) and can_edit(file):
        edits = draw_edits(int(rng.integers(2**31)))
        return f"{file.name}, {edit_file(file, edits)}"
    if file.suffix == ".zip" and number % 5 == 3:
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = list(members)[rng.integers(len(members))]
        how, members[name] = damage(members[name], rng)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for other, content in members.items():
                archive.writestr(zipfile.ZipInfo(other), content, zipfile.ZIP_DEFLATED)
        return f"{how}, {file.name}/{name}"
    how, content = damage(file.read_bytes(), rng)
    file.write_bytes(content)
    return f"{how}, {file.name}"


def judge(values: dict, expected: dict, ranges: Mapping) -> tuple[str, str]:
    """Outcome of an accepted input, and the array that decided it."""
    listed = set(values.get(REJECTIONS, ())) - set(expected.get(REJECTIONS, ()))
    names = [name for name in values if name != REJECTIONS]
    for name in names:
        low, high = ranges.get(name.split("@")[0], (-np.inf, np.inf))
        found = values[name][~np.isnan(values[name])]
        if found.size and not (low <= found.min() and found.max() <= high):
            return "out of range", f"{name}: {found.min():g} to {found.max():g}"
    if listed:
        return "listed", "; ".join(sorted(listed))
    for name in names:
        if _empty_fields(values[name]) > _empty_fields(expected.get(name, np.zeros(1))):
            return "silent NaN", name
    if names == [name for name in expected if name != REJECTIONS] and all(
        np.array_equal(values[name], expected[name], equal_nan=True) for name in names
    ):
        return "identical", ""
    return "in range", ""


def _empty_fields(values: np.ndarray) -> int:
    """Fields (of the first axis of a cube) that are missing as a whole."""
    fields = values.reshape(len(values) if values.ndim > 2 else 1, -1)
    return int(np.isnan(fields).all(axis=1).sum())
