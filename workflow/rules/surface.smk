from tamflux.sources.modis_files import near_year
from tamflux.variables import REFLECTANCE


def modis_files(wc):
    """Files of the year, and of the last and first days of the years beside it."""
    year = int(wc.year)
    years = [y for y in (year - 1, year, year + 1) if y in CUBE_YEARS]
    path = config["inputs"]["modis"]["path"]
    return near_year({file for y in years for file in raw_files(path, y)}, year)


rule prepare_modis:
    input:
        modis=modis_files,
    output:
        cube=directory("results/predictors/modis/{year}.zarr"),
    log:
        "results/logs/predictors/prepare_modis_{year}.log",
    benchmark:
        "results/benchmarks/predictors/prepare_modis_{year}.tsv"
    threads: 1
    resources:
        mem_mb=2500,
    params:
        product=config["inputs"]["modis"]["product"],
        grid=config["grid"],
        variables=[v for v in config["predictors"]["variables"] if v in REFLECTANCE],
        min_valid_fraction=config["predictors"]["min_valid_fraction"],
        code=code_hash("tamflux.predictors.reflectance"),
    message:
        "averaging and gap-filling the MODIS reflectance of {wildcards.year}"
    script:
        "../scripts/prepare_modis.py"


rule prepare_static:
    input:
        landcover=config["inputs"]["landcover"],
        koppen=config["inputs"]["koppen"],
        elevation=config["inputs"]["elevation"] or [],
    output:
        static="results/predictors/static.nc",
    log:
        "results/logs/predictors/prepare_static.log",
    benchmark:
        "results/benchmarks/predictors/prepare_static.tsv"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        grid={key: config["grid"][key] for key in ("resolution", "bbox")},
        code=code_hash("tamflux.predictors.static"),
    message:
        "averaging land cover and climate classes to the grid"
    script:
        "../scripts/prepare_static.py"
