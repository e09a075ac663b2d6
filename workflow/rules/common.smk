import sys
from glob import glob
from pathlib import Path

from tamflux.config import check_config
from tamflux.errors import ConfigError
from tamflux.provenance import code_hash

check_config(config)

CUBE_YEARS = sorted(
    {*config["years"]["train"], *config["years"]["product"], *config["years"]["lookback"]}
)


def stop(what, **details):
    """End with a ConfigError from an input function.

    Snakemake passes over an exception there where results of an earlier run exist.
    """
    sys.exit(str(ConfigError(what, **details)))


def lookback_year(year):
    """The year whose cube is the history of `year`: the year before, else `year` itself."""
    return int(year) - 1 if int(year) - 1 in CUBE_YEARS else int(year)


def members_of(wc):
    """Checkpoints of a model: the ensemble, or the one baseline."""
    members = range(config["training"]["members"] if wc.model == "tamrl" else 1)
    return [f"results/models/{wc.model}_{member}.safetensors" for member in members]


def site_table(wildcards):
    """Files of a site table: the one with folds, or the second, to predict."""
    if config["real_towers"] is None:
        stop(
            "the configuration names no site table",
            expected="a section real_towers",
            fix="add --configfile workflow/config/fluxnet2015.yaml",
        )
    prefix = "" if wildcards.table == "folds" else "predict_"
    return [
        config["real_towers"][f"{prefix}days"],
        config["real_towers"][f"{prefix}sites"],
    ]


def carbonfluxbench_files(wildcards):
    """The benchmark's files."""
    if config["carbonfluxbench"] is None:
        stop(
            "the configuration names no folder of CarbonFluxBench",
            expected="a section carbonfluxbench",
            fix="add --configfile workflow/config/carbonfluxbench.yaml",
        )
    folder = config["carbonfluxbench"]["folder"]
    names = [
        "MOD09GA.parquet",
        "ERA5.parquet",
        "koppen_sites.json",
        "koppen_sites_short.json",
    ]
    targets = sorted(glob(f"{folder}/target_fluxes*.parquet"))
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
