# The files that each stage reads of `inputs`, and the checksums that the product names.
import os
from fnmatch import fnmatch
from glob import glob
from types import SimpleNamespace

from tamflux.config import partial_year
from tamflux.readers.cds_files import may_start_year
from tamflux.demo_earth.layout import demo_files
from tamflux.readers.modis_files import near_year

DEMO_FILES = {*map(str, demo_files(config))}


def raw_files(path, year=None):
    """Raw files of a path of `inputs`: those that are there, and those that the demo will write.

    A path that leads outside the demo must match something now; a typing error in a path is
    thus found before any work.
    """
    pattern = path.replace("{year}", str(year))
    files = sorted(
        {*glob(pattern), *(file for file in DEMO_FILES if fnmatch(file, pattern))}
    )
    if not files:
        stop(
            "no file matches a path of `inputs`",
            file=pattern,
            fix="correct the path in the configuration, or put the files there: "
            "`snakemake --cores 1 check` with the same --configfile lists all that is missing",
        )
    return files


def raw_state(files):
    """Sizes and times of the user's own files: one put in place with an old date counts too."""
    own = [file for file in files if file not in DEMO_FILES and os.path.exists(file)]
    stats = {file: os.stat(file) for file in own}
    return [f"{file} {s.st_size} {int(s.st_mtime)}" for file, s in stats.items()]


def era5_files(wc):
    """Raw files of the year; hourly kinds end with 00 UTC of the next year, if that is there."""
    era5, year = config["inputs"]["era5"], int(wc.year)
    files = raw_files(era5["path"], year)
    if era5["kind"] != "daily_statistics":
        following = glob(era5["path"].replace("{year}", str(year + 1)))
        files += [file for file in following if may_start_year(file, year + 1)]
    return sorted({*files})


def may_grow(wc):
    """Whether more months of a year may come; see tamflux.config."""
    return int(wc.year) == partial_year(config["years"])


def modis_files(wc):
    """Files of the year, and of the last and first days of the years beside it."""
    year = int(wc.year)
    years = [y for y in (year - 1, year, year + 1) if y in CUBE_YEARS]
    path = config["inputs"]["modis"]["path"]
    return near_year({file for y in years for file in raw_files(path, y)}, year)


def checksummed_files(wc):
    """Raw files of ERA5 or MODIS in a year, of the land surface, or of the towers."""
    kind, _, year = wc.source.partition("_")
    inputs, towers = config["inputs"], config["inputs"]["towers"]
    if kind == "land":
        return [inputs[k] for k in ("landcover", "koppen", "elevation") if inputs[k]]
    if kind == "towers":
        return raw_files(towers["path"]) + [towers["sites"]] * bool(towers["sites"])
    return {"era5": era5_files, "modis": modis_files}[kind](SimpleNamespace(year=year))


def raw_tables(wc):
    """Tables of the raw files that a product year follows from."""
    year = int(wc.year)
    years = sorted({*TRAINING_YEARS, *with_lookback([year])})
    kinds = [f"{kind}_{y}" for kind in ("era5", "modis") for y in years]
    return [f"results/provenance/{kind}.csv" for kind in [*kinds, "land", "towers"]]


def site_table(wc):
    """Files of a site table: the one with folds, or the second, to predict."""
    section = section_of("real_towers", "fluxnet2015")
    prefix = "" if wc.table == "folds" else "predict_"
    return [section[f"{prefix}days"], section[f"{prefix}sites"]]


def carbonfluxbench_files(wc):
    """The benchmark's files."""
    folder = section_of("carbonfluxbench", "carbonfluxbench")["folder"]
    targets = sorted(glob(f"{folder}/target_fluxes*.parquet"))
    names = ["MOD09GA.parquet", "ERA5.parquet"]
    names += ["koppen_sites.json", "koppen_sites_short.json"]
    return [
        *(targets or [f"{folder}/target_fluxes.parquet"]),
        *(f"{folder}/{name}" for name in names),
    ]


def cell_files(wc):
    """Predictors of a year at the cells, and the truth of the years that are scored."""
    files = {
        "cube": f"results/predictors/{wc.year}.zarr",
        "cells": "results/comparison/cells.csv",
    }
    if int(wc.year) in config["years"]["product"]:
        files["truth"] = config["validation"]["truth"].format(year=wc.year)
    return files


def reference_files(wc):
    """Files of a reference product in all product years."""
    path, years = REFERENCES[wc.reference]["path"], config["years"]["product"]
    return sorted({file for year in years for file in raw_files(path, year)})
