from tamflux.variables import ASTRONOMY, METEOROLOGY


def era5_files(wc):
    """Raw files of the year; hourly kinds end with 00 UTC of the next year, if that is there."""
    era5, year = config["inputs"]["era5"], int(wc.year)
    files = raw_files(era5["path"], year)
    if era5["kind"] != "daily_statistics":
        try:
            files += raw_files(era5["path"], year + 1)
        except ConfigError:
            pass  # the last file of the year may hold that hour itself
    return sorted({*files})


rule prepare_era5:
    input:
        era5=era5_files,
    output:
        cube=directory("results/predictors/era5/{year}.zarr"),
    log:
        "results/logs/predictors/prepare_era5_{year}.log",
    benchmark:
        "results/benchmarks/predictors/prepare_era5_{year}.tsv"
    threads: 1
    resources:
        mem_mb=2500 if config["inputs"]["era5"]["kind"] == "daily_statistics" else 4000,
    params:
        kind=config["inputs"]["era5"]["kind"],
        grid=config["grid"],
        variables=[
            v
            for v in config["predictors"]["variables"]
            if v in METEOROLOGY | ASTRONOMY
        ],
        code=code_hash("tamflux.predictors.era5_cube"),
    message:
        "deriving and regridding the ERA5 predictors of {wildcards.year}"
    script:
        "../scripts/prepare_era5.py"


rule assemble_cube:
    input:
        era5=rules.prepare_era5.output.cube,
        modis="results/predictors/modis/{year}.zarr",
    output:
        cube=directory("results/predictors/{year}.zarr"),
    log:
        "results/logs/predictors/assemble_cube_{year}.log",
    benchmark:
        "results/benchmarks/predictors/assemble_cube_{year}.tsv"
    threads: 1
    resources:
        mem_mb=500,
    params:
        variables=config["predictors"]["variables"],
        code=code_hash("tamflux.predictors.union"),
    message:
        "joining the predictors of {wildcards.year} in one cube"
    script:
        "../scripts/assemble_cube.py"
