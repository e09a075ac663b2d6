# What models are trained and compared on: the cube, a site table, or a benchmark.
COMPARISON = config["comparison"]
PROTOCOLS = COMPARISON["protocols"]
SEARCHED = [  # the models whose settings are chosen by trials
    model
    for model in COMPARISON["models"]
    if model != "lstm_trees" and not model.startswith("tamrl")
]
BOOSTED = [model for model in SEARCHED if model in ("catboost", "lightgbm", "xgboost")]
SITE_TABLE = config["real_towers"] or config["carbonfluxbench"]
CELLS = bool(TRUTH and COMPARISON["cells"] and not SITE_TABLE and "igbp" in PROTOCOLS)
# the samples compared on: those of a site table or of the benchmark, else those of the cube
COMPARED = {
    "samples": expand("results/samples/{year}.parquet", year=EVALUATED_YEARS),
    "sites": "results/samples/sites.csv",
}
if SITE_TABLE:
    table = "real_towers/folds_" if config["real_towers"] else "carbonfluxbench/"
    COMPARED = {
        "samples": [f"results/{table}samples.parquet"],
        "sites": f"results/{table}sites.csv",
    }
REAL_TOWERS = config["real_towers"] or {
    "folds": 0,
    "predict_days": None,
    "monthly": [],
    "adapt_days": [],
    "network": None,
}
PROTOCOL = {key: REAL_TOWERS.get(key) for key in ("min_qc", "first_day", "min_days")}
REAL_TABLES = ["folds", "zero_shot"] if REAL_TOWERS["predict_days"] else ["folds"]


def section_of(name, overlay):
    """An optional section of the configuration, where it is needed."""
    if config[name] is None:
        stop(
            f"the configuration has no section {name}",
            fix=f"add --configfile workflow/config/{overlay}.yaml",
        )
    return config[name]


def site_table(wc):
    """Files of a site table: the one with folds, or the second, to predict."""
    section = section_of("real_towers", "fluxnet2015")
    prefix = "" if wc.table == "folds" else "predict_"
    return [section[f"{prefix}days"], section[f"{prefix}sites"]]


def carbonfluxbench_files(wc):
    """The benchmark's files."""
    folder = section_of("carbonfluxbench", "carbonfluxbench")["folder"]
    targets = find_files(f"{folder}/target_fluxes*.parquet")
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
