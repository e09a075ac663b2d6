from tamflux.variables import ASTRONOMY, METEOROLOGY, REFLECTANCE


rule prepare_era5:
    input:
        of_demo(era5_files),
    output:
        cube=directory("results/predictors/era5/{year}.zarr"),
    log:
        "results/logs/predictors/prepare_era5_{year}.log",
    benchmark:
        "results/benchmarks/predictors/prepare_era5_{year}.tsv"
    resources:
        mem_mb=2500 if config["inputs"]["era5"]["kind"] == "daily_statistics" else 4000,
    params:
        files=era5_files,
        state=state_of(era5_files),
        kind=config["inputs"]["era5"]["kind"],
        has_last_hour=has_last_hour,
        allow_gaps=config["predictors"]["allow_gaps"],
        grid=config["grid"],
        variables=[
            v
            for v in config["predictors"]["variables"]
            if v in METEOROLOGY | ASTRONOMY
        ],
        code=code_of("prepare_era5"),
    message:
        "deriving and regridding the ERA5 predictors of {wildcards.year}"
    script:
        "../scripts/prepare_era5.py"


rule prepare_modis:
    input:
        of_demo(modis_files),
    output:
        cube=directory("results/predictors/modis/{year}.zarr"),
    log:
        "results/logs/predictors/prepare_modis_{year}.log",
    benchmark:
        "results/benchmarks/predictors/prepare_modis_{year}.tsv"
    resources:
        mem_mb=2500,
    params:
        files=modis_files,
        state=state_of(modis_files),
        product=config["inputs"]["modis"]["product"],
        grid=config["grid"],
        variables=[v for v in config["predictors"]["variables"] if v in REFLECTANCE],
        min_valid_fraction=config["predictors"]["min_valid_fraction"],
        code=code_of("prepare_modis"),
    message:
        "averaging and gap-filling the MODIS reflectance of {wildcards.year}"
    script:
        "../scripts/prepare_modis.py"


rule prepare_static:
    input:
        of_demo(land_files),
        extra=expand(rules.prepare_static_extra.output.static, extra=STATIC),
    output:
        static="results/predictors/static.nc",
    log:
        "results/logs/predictors/prepare_static.log",
    benchmark:
        "results/benchmarks/predictors/prepare_static.tsv"
    resources:
        mem_mb=4000,
    params:
        files=lambda wc: [land_file(name) for name in LAND],
        state=state_of(land_files),
        grid=GRID,
        code=code_of("prepare_static"),
    message:
        "averaging land cover and climate classes to the grid"
    script:
        "../scripts/prepare_static.py"


rule assemble_cube:
    input:
        era5=rules.prepare_era5.output.cube,
        modis=rules.prepare_modis.output.cube,
        extra=expand(rules.prepare_extra.output.cube, extra=DYNAMIC, allow_missing=True),
    output:
        cube=directory("results/predictors/{year}.zarr"),
    log:
        "results/logs/predictors/assemble_cube_{year}.log",
    benchmark:
        "results/benchmarks/predictors/assemble_cube_{year}.tsv"
    resources:
        mem_mb=500,
    params:
        variables=CUBE_VARIABLES,
        code=code_of("assemble_cube"),
    message:
        "joining the predictors of {wildcards.year} in one cube"
    script:
        "../scripts/assemble_cube.py"
