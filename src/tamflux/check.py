"""A look at every input file before any work: what is there, and what is wrong with it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from tamflux.config import partial_year
from tamflux.demo_earth.layout import demo_files
from tamflux.download.targets import era5_raw_variables, era5_targets, modis_folder
from tamflux.errors import ConfigError, ContractError, InputError, TamfluxError
from tamflux.extra_predictors import (
    PREFIX,
    ExtraPredictor,
    dynamic_names,
    extra_predictors,
    files_of_year,
)
from tamflux.files import find_files, matches
from tamflux.grid import Grid
from tamflux.predictors.extra import inspect_extra
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.readers.era5_sample import inspect_era5
from tamflux.readers.landcover import inspect_landcover
from tamflux.readers.modis import inspect_modis
from tamflux.readers.modis_files import modis_files_of_year
from tamflux.readers.modis_metadata import check_collection_names
from tamflux.readers.points import read_points
from tamflux.readers.polygons import read_polygons
from tamflux.readers.reference_product import inspect_reference
from tamflux.released import ReleasedModel
from tamflux.samples.splits import (
    FOLDS,
    HEADLINE_TOWERS,
    count_training_groups,
    split_sites,
    tower_roles,
)
from tamflux.towers.inspection import find_usable_sites
from tamflux.variables import METEOROLOGY

COLUMNS = ("input", "part", "files", "verdict", "problem")
OK, WRONG, REJECTED, NOTE, LATER = "ok", "WRONG", "rejected", "note", "demo"
WIDTH = 100
MIN_QC = 0.5
"""As `tamflux.training.trainer.MIN_QC`, whose import would load torch."""
_ABSENT = ("no file holds", "days are missing", "a year has no MODIS", "MODIS files are missing")
"""How problems begin that a download ends."""
_BY_HAND = {
    "koppen": "download the archive of https://doi.org/10.6084/m9.figshare.6396959, and name its "
    "GeoTIFF of the present climate (Beck_KG_V1_present_0p083.tif)",
    "elevation": "name a file of elevation, or null: it is optional",
    "towers": "accept the data policy of a network (https://data.fluxnet.org, "
    "https://ameriflux.lbl.gov, https://www.icos-cp.eu), download its zips, and put them there; "
    "they cannot be fetched without your consent",
}
"""Where the inputs are that no rule fetches."""


def check_inputs(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Check all raw files of a configuration.

    Of gridded files names, headers, coordinates and samples of the values are read; towers are
    read completely, as only then it is known which of them train.

    Parameters
    ----------
    config : mapping
        The validated configuration.

    Returns
    -------
    list of dict
        Rows with `input, part, files, verdict, problem`. The verdict is ``ok``, ``WRONG`` (the
        run would stop), ``rejected`` (a tower that will be left out), ``note`` (days or values
        of used towers that will be left out) or ``demo`` (a file that the demo Earth writes when
        the run starts).
    """
    inputs, years = config["inputs"], config["years"]
    era5, modis = inputs["era5"], inputs["modis"]
    grid = Grid.from_config(config["grid"])
    wanted = [name for name in config["predictors"]["variables"] if name in METEOROLOGY]
    cube_years = sorted({*years["train"], *years["product"], *years["lookback"]})
    later, gaps = demo_files(config), config["predictors"]["allow_gaps"]
    rows = []
    for year in tqdm(cube_years, desc="checking", unit="year"):
        # the last day of hourly accumulations ends with the first hour of the next year
        spare = [] if era5["kind"] == "daily_statistics" else _files(era5["path"], year + 1)
        is_partial = year == partial_year(years)
        files = _files(era5["path"], year)
        problems = (
            inspect_era5([*files, *spare], era5["kind"], year, grid, wanted, is_partial, gaps)
            if files
            else []
        )
        cure = _rule("download_era5", partial(_era5_folder, config, year))
        rows += _rows("ERA5", year, _fill(era5["path"], year), files, problems, later, cure)

        files = _files(modis["path"], year)
        composites = modis_files_of_year(partial(_files, modis["path"]), year, years)
        problems = (
            inspect_modis(composites, modis["product"], year, grid, is_partial) if files else []
        )
        cure = _rule("download_modis", partial(modis_folder, config, year))
        rows += _rows("MODIS", year, _fill(modis["path"], year), files, problems, later, cure)
    rows += _collection_rows([f for year in cube_years for f in _files(modis["path"], year)])
    rows += _land_rows(inputs, later)
    for each in extra_predictors(config):
        if each.path is None and config["real_towers"]:
            continue  # a column of site tables
        rows += _extra_rows(each, years)
    for reference in config["validation"]["references"]:
        for year in years["product"]:
            files = _files(reference["path"], year)
            problems = inspect_reference(reference, files, year) if files else []
            pattern = _fill(reference["path"], year)
            rows += _rows(f"reference {reference['name']}", year, pattern, files, problems, later)
    rows += _places_rows(config["product"])
    if model := config["inference"]["model"]:
        return rows + _model_rows(model, config)
    return rows + _tower_rows(config, grid, later)


def _model_rows(folder: str, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for the released model, or one for each thing that is wrong with it."""
    variables = dynamic_names(config)
    extra = [f"{PREFIX}{each.name}" for each in extra_predictors(config) if each.is_static]
    try:
        model = ReleasedModel.read(folder)
        model.verify(folder)
    except (ConfigError, ContractError) as error:
        return [_row("model", folder, 0, WRONG, _sentence(error))]
    files = len(model.sha256) + 1
    if problems := model.find_lacks(variables, [*STATIC_FEATURES, *extra]):
        return [_row("model", folder, files, WRONG, _sentence(problem)) for problem in problems]
    rows = [_row("model", folder, files, OK, "")]
    if absent := [name for name in model.optional if name not in variables]:
        what = f"the cube lacks predictors that the model can do without: {', '.join(absent)}"
        rows.append(_row("model", folder, files, NOTE, what))
    return rows


def render(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as text of at most `WIDTH` columns; each problem is below its row, indented."""
    lines = []
    header = dict(zip(COLUMNS, COLUMNS, strict=True)) | {"problem": ""}
    for row in [header, *rows]:
        name, part = _shorten(row["input"], 22), _shorten(row["part"], 44)
        lines.append(f"{name:<22} {part:<44} {row['files']:>6} {row['verdict']}")
        lines += textwrap.wrap(
            row["problem"], WIDTH, initial_indent="    ", subsequent_indent="    "
        )
    return "\n".join(lines)


def _shorten(value: object, width: int) -> str:
    """The end of a long name, where files of a kind differ."""
    text = str(value)
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _collection_rows(files: Sequence[str]) -> list[dict[str, Any]]:
    """A row if the MODIS files of all years are of several collections."""
    try:
        check_collection_names(files)
    except InputError as error:
        return [_row("MODIS", "all years", len(files), WRONG, _sentence(error))]
    return []


def _places_rows(product: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the user's polygons and points, with their number."""
    rows = []
    readers: dict[str, Callable[[str], Any]] = {"regions": read_polygons, "sites": read_points}
    for name, read in readers.items():
        if path := product[name]:
            part, problem = Path(path).name, ""
            try:
                part += f": {len(read(path))}"
            except InputError as error:
                problem = _sentence(error)
            rows.append(_row(f"product.{name}", part, 1, WRONG if problem else OK, problem))
    return rows


def _land_rows(inputs: Mapping[str, Any], later: Sequence[str]) -> list[dict[str, Any]]:
    """One row for land cover, Köppen classes and elevation, or one for each that is not there."""
    rows: list[dict[str, Any]] = []
    paths: list[str | None] = []
    cures = _BY_HAND | {"landcover": _rule("download_landcover", lambda: inputs["landcover"])}
    for name in ("landcover", "koppen", "elevation"):
        pattern = inputs[name]
        files = _files(pattern) if pattern else []
        paths.append(files[0] if files else None)
        if len(files) > 1:
            found = f"several files match inputs.{name}: {', '.join(files)}; fix: name one of them"
            rows.append(_row("land surface", name, len(files), WRONG, found))
        elif pattern and not files:
            rows += _rows("land surface", Path(pattern).name, pattern, [], [], later, cures[name])
    if not rows:
        landcover, koppen, elevation = paths
        problems = inspect_landcover(str(landcover), str(koppen), elevation)
        files = [path for path in paths if path]
        rows += _rows("land surface", "", "", files, problems, later)
    return rows


def _extra_rows(extra: ExtraPredictor, years: Mapping[str, Sequence[int]]) -> list[dict[str, Any]]:
    """One row for an extra predictor, or one for each year and problem."""
    name = f"extra {extra.name}"
    if extra.path is None:
        return [_row(name, "", 0, WRONG, "no path; fix: name its files: a cube needs them")]
    if extra.is_static:
        files = _files(extra.path)
        if len(files) > 1:
            found = f"several files match: {', '.join(files)}; fix: name one of them"
            return [_row(name, "", len(files), WRONG, found)]
        problems = inspect_extra(extra, files, None) if files else []
        return _rows(name, Path(extra.path).name, extra.path, files, problems, ())
    rows = []
    for year in sorted({year for part in years.values() for year in part}):
        patterns = files_of_year(extra.path, year, years)
        files = sorted({file for pattern in patterns for file in _files(pattern)})
        problems = inspect_extra(extra, files, year, year == partial_year(years)) if files else []
        rows += _rows(name, year, _fill(extra.path, year), files, problems, ())
    return rows


def _tower_rows(
    config: Mapping[str, Any], grid: Grid, later: Sequence[str]
) -> list[dict[str, Any]]:
    """One row for all towers, one for each that is left out, and one for each reason to doubt."""
    towers = config["inputs"]["towers"]
    files = _files(towers["path"])
    if not files:
        return _rows("towers", "", towers["path"], files, [], later, _BY_HAND["towers"])
    try:
        sites, rejected = find_usable_sites(
            files, towers["sites"], grid, config["years"]["train"], MIN_QC, **config["towers"]
        )
    except InputError as error:
        return [_row("towers", "", len(files), WRONG, _sentence(error))]
    training, problem = _count_training(sites, config)
    part = f"{len(sites)} sites, {training} train"
    rows = [_row("towers", part, len(files), WRONG if problem else OK, problem)]
    held_out = training if config["training"]["split"] == FOLDS else len(sites) - training
    if held_out < HEADLINE_TOWERS:
        few = f"{held_out} towers are held out: too few for headline scores, which need "
        few += f"{HEADLINE_TOWERS}; intervals rest on {training} towers"
        rows.append(_row("towers", f"{held_out} held out", len(files), NOTE, few))
    used = rejected["site_id"].isin(sites["site_id"])
    for (site, file), of_site in rejected[~used].groupby(["site_id", "file"]):
        reasons = "; ".join(of_site["reason"].unique())
        rows.append(_row("towers", site or Path(file).name, 1, REJECTED, reasons))
    for reason, entries in rejected[used].groupby("reason"):
        names = entries["site_id"].unique()
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        what = f"{reason}: {entries['n'].sum()} left out at {shown}"
        rows.append(_row("towers", f"{len(names)} sites", entries["file"].nunique(), NOTE, what))
    return rows


def _count_training(sites: pd.DataFrame, config: Mapping[str, Any]) -> tuple[int, str]:
    """Number of sites that will train, and what is wrong with it; "" where nothing is."""
    if sites.empty:
        return 0, "none usable"
    split, seed = config["training"]["split"], config["seed"]
    train = tower_roles(split_sites(sites, seed), split) != "test"
    training = int((train & (sites["n_train"] > 0)).sum())
    folds, groups = config["calibration"]["folds"], count_training_groups(sites, split, seed)
    if not training:
        years = ", ".join(map(str, config["years"]["train"]))
        return 0, f"no site has days of NEE with qc >= {MIN_QC} in {years} (years.train)"
    if min(groups, training) < folds:
        return training, (
            f"too few towers for the folds; found: {training} training sites in {groups} groups "
            f"of neighbours; expected: at least {folds} (calibration.folds); fix: add towers, or "
            "lower calibration.folds"
        )
    return training, ""


def _rows(
    name: str,
    part: str | int,
    pattern: str,
    files: Sequence[str],
    problems: Sequence[InputError],
    later: Sequence[str],
    cure: str = "",
) -> list[dict[str, Any]]:
    """One row of an input that is right or still to come, else a row for each problem.

    `cure` says what brings files that are missing.
    """
    if not files and any(matches(file, pattern) for file in later):
        return [_row(name, part, 0, LATER, "the demo Earth writes it when the run starts")]
    if not files:
        fix = f"correct the path in the configuration, or {cure or 'put the files there'}"
        return [_row(name, part, 0, WRONG, f"no file matches {pattern}; fix: {fix}")]
    if not problems:
        return [_row(name, part, len(files), OK, "")]
    sentences = [
        _sentence(problem) + (f"; or {cure}" if cure and problem.what.startswith(_ABSENT) else "")
        for problem in problems
    ]
    return [_row(name, part, len(files), WRONG, sentence) for sentence in sentences]


def _rule(rule: str, place: Callable[[], object]) -> str:
    """What the rule of a download would do, or why it cannot."""
    try:
        return f"let `snakemake --cores 2 download` (rule {rule}) fetch to {place()}"
    except ConfigError as error:
        return f"put the files there (rule {rule} cannot: {error.what})"


def _era5_folder(config: Mapping[str, Any], year: int) -> Path:
    first = era5_targets(config, era5_raw_variables(config)[0], year)
    return next(iter(first.values())).parent


def _row(name: str, part: Any, files: int, verdict: str, problem: str) -> dict[str, Any]:
    return dict(zip(COLUMNS, (name, part, files, verdict, problem), strict=True))


def _sentence(error: TamfluxError) -> str:
    details = [f"{key}: {value}" for key, value in error.details.items() if value is not None]
    return "; ".join([error.what, *details])


def _fill(path: str, year: int | None) -> str:
    return path.replace("{year}", str(year))


def _files(path: str, year: int | None = None) -> list[str]:
    return find_files(_fill(path, year))
