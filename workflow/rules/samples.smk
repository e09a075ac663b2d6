rule describe_sites:
    input:
        towers="results/towers/sites.csv",
        static="results/predictors/static.nc",
        cubes=expand("results/predictors/{year}.zarr", year=TRAINING_YEARS),
    output:
        sites="results/samples/sites.csv",
        dropped="results/samples/dropped.csv",
    log:
        "results/logs/samples/describe_sites.log",
    benchmark:
        "results/benchmarks/samples/describe_sites.tsv"
    resources:
        mem_mb=1000,
    params:
        seed=config["seed"],
        code=code_of("describe_sites"),
    message:
        "finding the pixels of the towers and splitting the sites"
    script:
        "../scripts/describe_sites.py"


rule extract_samples:
    input:
        cube="results/predictors/{year}.zarr",
        sites="results/samples/sites.csv",
        fluxes="results/towers/fluxes.parquet",
        local_weather=(
            "results/samples/local_weather_{year}.parquet" if HOURLY_ERA5 else []
        ),
    output:
        samples="results/samples/{year}.parquet",
    log:
        "results/logs/samples/extract_samples_{year}.log",
    benchmark:
        "results/benchmarks/samples/extract_samples_{year}.tsv"
    resources:
        mem_mb=2000,
    params:
        code=code_of("extract_samples"),
    message:
        "taking the predictors of {wildcards.year} at the towers"
    script:
        "../scripts/extract_samples.py"


rule read_site_table:
    input:
        of_demo(site_table),
    output:
        samples="results/real_towers/{table}_samples.parquet",
        sites="results/real_towers/{table}_sites.csv",
    log:
        "results/logs/samples/read_site_table_{table}.log",
    benchmark:
        "results/benchmarks/samples/read_site_table_{table}.tsv"
    resources:
        mem_mb=2000,
    params:
        n_folds=lambda wc: REAL_TOWERS["folds"] if wc.table == "folds" else None,
        predictors=REAL_TOWERS.get("predictors"),
        extra=config["predictors"].get("extra"),
        files=site_table,
        state=state_of(site_table),
        code=code_of("read_site_table"),
    message:
        "reading and checking the site table ({wildcards.table})"
    script:
        "../scripts/read_site_table.py"


rule read_carbonfluxbench:
    input:
        of_demo(carbonfluxbench_files),
    output:
        samples="results/carbonfluxbench/samples.parquet",
        sites="results/carbonfluxbench/sites.csv",
    log:
        "results/logs/samples/read_carbonfluxbench.log",
    benchmark:
        "results/benchmarks/samples/read_carbonfluxbench.tsv"
    resources:
        mem_mb=6000,
    params:
        folder=(config["carbonfluxbench"] or {"folder": None})["folder"],
        state=state_of(carbonfluxbench_files),
        code=code_of("read_carbonfluxbench"),
    message:
        "reading and checking CarbonFluxBench"
    script:
        "../scripts/read_carbonfluxbench.py"


rule draw_cells:
    input:
        static="results/predictors/static.nc",
    output:
        cells="results/comparison/cells.csv",
    log:
        "results/logs/samples/draw_cells.log",
    benchmark:
        "results/benchmarks/samples/draw_cells.tsv"
    resources:
        mem_mb=1000,
    params:
        grid=GRID,
        cells=COMPARISON["cells"],
        seed=config["seed"],
        code=code_of("draw_cells"),
    message:
        "drawing land cells between the towers"
    script:
        "../scripts/draw_cells.py"


rule extract_cells:
    input:
        unpack(cell_files),
    output:
        samples="results/comparison/cells_{year}.parquet",
    log:
        "results/logs/samples/extract_cells_{year}.log",
    benchmark:
        "results/benchmarks/samples/extract_cells_{year}.tsv"
    resources:
        mem_mb=2000,
    params:
        code=code_of("extract_cells"),
    message:
        "taking the predictors and the truth of {wildcards.year} at the cells"
    script:
        "../scripts/extract_cells.py"
