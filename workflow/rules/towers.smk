rule harmonise_towers:
    input:
        of_demo(tower_files),
    output:
        fluxes="results/towers/fluxes.parquet",
        sites="results/towers/sites.csv",
        rejected="results/towers/rejected.csv",
    log:
        "results/logs/towers/harmonise_towers.log",
    benchmark:
        "results/benchmarks/towers/harmonise_towers.tsv"
    resources:
        mem_mb=2000,
    params:
        files=lambda wc: raw_files(config["inputs"]["towers"]["path"]),
        site_table=config["inputs"]["towers"]["sites"],
        state=state_of(tower_files),
        limits=config["towers"],
        grid=GRID,
        code=code_of("harmonise_towers"),
    message:
        "reading the tower files, checking them and merging the networks"
    script:
        "../scripts/harmonise_towers.py"


rule extract_local_weather:
    input:
        of_demo(era5_files),
        sites="results/samples/sites.csv",
    output:
        weather="results/samples/local_weather_{year}.parquet",
    log:
        "results/logs/towers/extract_local_weather_{year}.log",
    benchmark:
        "results/benchmarks/towers/extract_local_weather_{year}.tsv"
    resources:
        mem_mb=4000,
    params:
        files=era5_files,
        state=state_of(era5_files),
        kind=config["inputs"]["era5"]["kind"],
        has_last_hour=has_last_hour,
        allow_gaps=config["predictors"]["allow_gaps"],
        grid=GRID,
        variables=[v for v in config["predictors"]["variables"] if v in METEOROLOGY],
        code=code_of("extract_local_weather"),
    message:
        "taking the weather of local days of {wildcards.year} at the towers"
    script:
        "../scripts/extract_local_weather.py"
