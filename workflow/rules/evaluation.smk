rule evaluate_sites:
    input:
        samples=expand(
            "results/samples/{year}.parquet",
            year=EVALUATED_YEARS,
        ),
        sites="results/samples/sites.csv",
        static="results/predictors/static.nc",
        tamrl=expand(
            "results/models/tamrl_{member}.safetensors", member=MEMBERS["tamrl"]
        ),
        lstm=expand("results/models/lstm_{member}.safetensors", member=MEMBERS["lstm"]),
        tamrl_folds=expand(
            "results/models/folds/tamrl_{fold}.safetensors", fold=SCORED_FOLDS
        ),
        lstm_folds=expand(
            "results/models/folds/lstm_{fold}.safetensors", fold=SCORED_FOLDS
        ),
    output:
        predictions="results/validation/site_predictions.parquet",
    log:
        "results/logs/evaluation/evaluate_sites.log",
    benchmark:
        "results/benchmarks/evaluation/evaluate_sites.tsv"
    resources:
        mem_mb=2500,
    params:
        years=EVALUATED_YEARS,
        train_years=config["years"]["train"],
        product_years=config["years"]["product"],
        split=config["training"]["split"],
        code=code_of("evaluate_sites"),
    message:
        "predicting the fluxes of every tower"
    script:
        "../scripts/evaluate_sites.py"


rule evaluate_truth:
    input:
        truth=(
            [TRUTH.format(year=year) for year in config["years"]["product"]]
            if TRUTH
            else []
        ),
        tamrl=expand("results/tiles/tamrl_{year}.zarr", year=config["years"]["product"]),
        lstm=expand("results/tiles/lstm_{year}.zarr", year=config["years"]["product"]),
        predictions="results/validation/site_predictions.parquet",
        sites="results/samples/sites.csv",
        static="results/predictors/static.nc",
    output:
        scores="results/validation/truth_scores.csv",
        maps="results/validation/truth_maps.nc",
    log:
        "results/logs/evaluation/evaluate_truth.log",
    benchmark:
        "results/benchmarks/evaluation/evaluate_truth.tsv"
    resources:
        mem_mb=2500,
    params:
        years=config["years"]["product"],
        train_years=config["years"]["train"],
        grid=config["grid"],
        code=code_of("evaluate_truth"),
    message:
        "comparing the product with the truth in every cell"
    script:
        "../scripts/evaluate_truth.py"


rule evaluate_intervals:
    input:
        predictions="results/validation/site_predictions.parquet",
        sites="results/samples/sites.csv",
        calibration="results/models/calibration.json",
        without_fold=expand(
            "results/models/folds/calibration_{fold}.json", fold=SCORED_FOLDS
        ),
        static="results/predictors/static.nc",
        tiles=expand("results/tiles/tamrl_{year}.zarr", year=config["years"]["product"]),
        truth=(
            [TRUTH.format(year=year) for year in config["years"]["product"]]
            if TRUTH
            else []
        ),
    output:
        coverage="results/validation/coverage.csv",
        ranking="results/validation/applicability.csv",
        cells="results/validation/intervals.nc",
    log:
        "results/logs/evaluation/evaluate_intervals.log",
    benchmark:
        "results/benchmarks/evaluation/evaluate_intervals.tsv"
    resources:
        mem_mb=2000,
    params:
        years=config["years"]["product"],
        grid=config["grid"],
        code=code_of("evaluate_intervals"),
    message:
        "counting the days inside the intervals"
    script:
        "../scripts/evaluate_intervals.py"


rule regrid_reference:
    input:
        of_demo(reference_files),
    output:
        months="results/validation/references/{reference}.nc",
    log:
        "results/logs/evaluation/regrid_reference_{reference}.log",
    benchmark:
        "results/benchmarks/evaluation/regrid_reference_{reference}.tsv"
    resources:
        mem_mb=2000,
    params:
        state=state_of(reference_files),
        reference=lambda wc: REFERENCES[wc.reference],
        files=lambda wc: {
            year: raw_files(REFERENCES[wc.reference]["path"], year)
            for year in config["years"]["product"]
        },
        grid=GRID,
        code=code_of("regrid_reference"),
    message:
        "bringing {wildcards.reference} to the grid of the product"
    script:
        "../scripts/regrid_reference.py"
