"""Damage of structure: hypothesis draws what is changed in a table, a tree, a field or a zip."""

from __future__ import annotations

import csv
import io
import json
import string
import zipfile
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import rasterio
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pyhdf.SD import SD, SDC
from safetensors.numpy import load_file, safe_open, save_file

STRANGE = (
    "", " ", "nan", "NaN", "inf", "-9999", "1e400", "2003-02-31", "0", "-1", "None", "True", "\x00",
    "../../x", "/etc/passwd", "$(touch x)", "=1+1", "<script>alert(1)</script>", "a\nb", 'a"b', "é",
)  # fmt: skip
TEXT = st.text(string.printable + "é€Ａ\x00\ud800", max_size=12)
VALUES = st.one_of(
    st.sampled_from(STRANGE), st.integers(-(2**70), 2**70), st.integers(-3, 400), st.floats(),
    st.floats(-400, 1e5), st.booleans(), st.none(), TEXT,
    st.lists(st.integers(-3, 3), max_size=3), st.dictionaries(TEXT, st.none()),
)  # fmt: skip
PLACE = st.floats(0, 1, exclude_max=True)
EDITS = st.lists(st.tuples(st.integers(0, 5), PLACE, PLACE, VALUES), min_size=1, max_size=4)
"""What to do, where (as shares of rows, columns, keys, ...) and a value."""


def draw_edits(number: int) -> list[tuple]:
    """The edits of input `number`; the same number gives the same edits."""
    drawn = []

    @seed(number)
    @settings(max_examples=6, database=None, phases=[Phase.generate], deadline=None,
              derandomize=False, suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(EDITS)
    def collect(edits):
        drawn.append(edits)

    collect()
    return drawn[-1]


def can_edit(path: Path) -> bool:
    """Whether the structure of such a file is known here."""
    return path.suffix in EDITORS


def edit_file(path: Path, edits: list[tuple]) -> str:
    """Change the file by the edits; what was done."""
    for edit in edits:
        try:
            EDITORS[path.suffix](path, *edit)
        except Exception:  # an earlier edit broke it, or no file of this kind can hold the value
            break
    return "; ".join(f"{kind} at {a:.2f}, {b:.2f}: {value!r}"[:80] for kind, a, b, value in edits)


def _at(share: float, items) -> int:
    return int(share * len(items))


def _edit_csv(path: Path, kind: int, a: float, b: float, value: Any) -> None:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    delimiter = ";" if text.partition("\n")[0].count(";") > 3 else ","
    rows = [row for row in csv.reader(io.StringIO(text.replace("\0", "")), delimiter=delimiter)]
    if not rows or not any(rows):
        return
    row = _at(a, rows)
    col = _at(b, rows[0])
    if kind == 0 and rows[row]:
        rows[row][_at(b, rows[row])] = str(value)
    elif kind == 1:
        rows[1:] = [[*line[:col], str(value), *line[col + 1 :]] for line in rows[1:]]
    elif kind == 2:
        del rows[row]
    elif kind == 3:
        rows = [[*line[:col], *line[col + 1 :]] for line in rows]
    elif kind == 4:
        rows.insert(row, list(rows[row]))
    elif rows[0]:
        rows[0][col] = str(value)
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", errors="replace")


def change_tree(tree: Any, kind: int, a: float, b: float, value: Any) -> Any:
    """A tree of dicts and lists with one node set, removed, added or renamed."""
    nodes = []

    def walk(node):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            nodes.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    if not isinstance(tree, dict | list) or (kind == 5 and a > 0.9):
        return value
    walk(tree)
    if not nodes:
        return value
    parent, key = nodes[_at(a, nodes)]
    if kind == 2:
        del parent[key]
    elif kind == 3 and isinstance(parent, dict):
        parent[str(value)] = parent.pop(key)
    elif kind == 4 and isinstance(parent, list):
        parent.append(value)
    else:
        parent[key] = value
    return tree


def _edit_json(path: Path, *edit) -> None:
    path.write_text(json.dumps(change_tree(json.loads(path.read_text()), *edit)))


def _edit_yaml(path: Path, *edit) -> None:
    tree = change_tree(yaml.safe_load(path.read_text()), *edit)
    path.write_text(yaml.safe_dump(tree, allow_unicode=True))


def _edit_parquet(path: Path, kind: int, a: float, b: float, value: Any) -> None:
    frame = pd.read_parquet(path)
    if not len(frame.columns):
        return
    name = frame.columns[_at(b, frame.columns)]
    if kind == 0:
        frame[name] = [value] * len(frame)
    elif kind == 1 and len(frame) and isinstance(value, int | float | None):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
        frame.iloc[_at(a, frame), frame.columns.get_loc(name)] = np.nan if value is None else value
    elif kind == 2:
        frame = frame.drop(columns=name)
    elif kind == 3:
        frame = frame.iloc[: _at(a, frame)]
    elif kind == 4:
        frame = pd.concat([frame, frame.iloc[_at(a, frame) :][:5]])
    else:
        frame = frame.rename(columns={name: str(value)})
    try:
        frame.to_parquet(path, index=False)
    except (ValueError, TypeError, OverflowError, UnicodeError):
        pass  # no Parquet file can hold this: the input stays whole


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _edit_netcdf(path: Path, kind: int, a: float, b: float, value: Any) -> None:
    with netCDF4.Dataset(path, "a") as file:
        variables = list(file.variables.values())
        variable = variables[_at(a, variables)]
        names = variable.ncattrs() or ["units"]
        try:
            if kind in (0, 1):
                name = [*names, "scale_factor", "_FillValue", "calendar"][_at(b, [*names, 1, 2, 3])]
                variable.setncattr(name, value if isinstance(value, str | list) else _number(value))
            elif kind == 2:
                variable.delncattr(names[_at(b, names)])
            elif kind == 3 and variable.ndim:
                variable[_at(b, range(variable.shape[0]))] = _number(value)
            elif kind == 4:
                variable[...] = _number(value)
            else:
                file.renameVariable(variable.name, str(value) or "x")
        except (AttributeError, RuntimeError, ValueError, TypeError, OSError, OverflowError,
                UnicodeError, IndexError):  # fmt: skip
            pass  # the library does not write this


def _edit_hdf4(path: Path, kind: int, a: float, b: float, value: Any) -> None:
    file = SD(str(path), SDC.WRITE)
    try:
        names = sorted(file.datasets())
        data = file.select(names[_at(a, names)])
        attributes = [*data.attributes(), "scale_factor"]
        name = attributes[_at(b, attributes)]
        try:
            if kind in (0, 1, 2) and isinstance(value, str) and value:
                data.attr(name).set(SDC.CHAR8, value)
            elif kind in (0, 1, 2):
                data.attr(name).set(SDC.FLOAT64, _number(value))
            else:
                shape = np.atleast_1d(data.info()[2])
                whole = np.asarray(data.get()).reshape(shape)
                part = slice(None) if kind == 3 else slice(_at(b, whole), _at(b, whole) + 1)
                whole[part] = np.clip(np.nan_to_num(_number(value)), 0, 255)
                data[:] = whole
        except Exception:
            pass
        data.endaccess()
    finally:
        file.end()


def _edit_geotiff(path: Path, kind: int, a: float, b: float, value: Any) -> None:
    with rasterio.open(path, "r+") as file:
        try:
            if kind == 0:
                file.nodata = _number(value)
            elif kind == 1:
                parts = list(file.transform)[:6]
                parts[_at(a, parts)] = _number(value)
                file.transform = rasterio.Affine(*parts)
            elif kind == 2:
                file.crs = str(value)
            else:
                values = file.read(1)
                part = slice(None) if kind == 3 else slice(_at(b, values), _at(b, values) + 1)
                values[part] = _number(value)
                file.write(values, 1)
        except (ValueError, TypeError, OverflowError, rasterio.errors.RasterioError,
                rasterio.errors.CRSError):  # fmt: skip
            pass


def _edit_safetensors(path: Path, kind: int, a: float, b: float, value: Any) -> None:
    with safe_open(path, framework="np") as file:
        header = dict(file.metadata() or {})
    tensors = load_file(path)
    name = sorted(tensors)[_at(a, tensors)]
    if kind == 0 and tensors[name].size:
        flat = tensors[name].reshape(-1)
        flat[_at(b, flat)] = np.nan_to_num(_number(value)) if flat.dtype.kind != "f" else _number(
            value)  # fmt: skip
    elif kind == 1:
        del tensors[name]
    elif kind == 2:
        tensors[name] = tensors[name].reshape(-1)[: _at(b, tensors[name].reshape(-1))].copy()
    elif kind == 3:
        tensors[name] = tensors[name].astype(np.float64 if b < 0.5 else np.int8)
    elif "tamflux" in header:
        tree = change_tree(json.loads(header["tamflux"]), kind, a, b, value)
        header["tamflux"] = json.dumps(tree)
    save_file(tensors, path, metadata=header)


def _edit_zip(path: Path, kind: int, a: float, b: float, value: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    if not members:
        return
    number = _at(a, members)
    name, content = members[number]
    if kind in (0, 1, 2) and Path(name).suffix in EDITORS:
        inner = path.with_name(f"inner{Path(name).suffix}")
        inner.write_bytes(content)
        EDITORS[inner.suffix](inner, kind + (3 if b < 0.5 else 0), b, a, value)
        members[number] = name, inner.read_bytes()
        inner.unlink()
    elif kind == 3:
        del members[number]
    elif kind == 4:
        members.append(members[number])
    else:
        members[number] = str(value) + (Path(name).suffix if b < 0.5 else ""), content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), content, zipfile.ZIP_DEFLATED)


EDITORS = {
    ".csv": _edit_csv, ".json": _edit_json, ".yaml": _edit_yaml, ".parquet": _edit_parquet,
    ".nc": _edit_netcdf, ".hdf": _edit_hdf4, ".tif": _edit_geotiff, ".zip": _edit_zip,
    ".safetensors": _edit_safetensors,
}  # fmt: skip
