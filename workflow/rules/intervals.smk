rule evaluate_intervals:
    input:
        predictions="results/validation/site_predictions.parquet",
        sites="results/samples/sites.csv",
        calibration="results/models/calibration.json",
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
        "results/logs/validation/evaluate_intervals.log",
    benchmark:
        "results/benchmarks/validation/evaluate_intervals.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        years=config["years"]["product"],
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        tile_size=config["grid"]["tile_size"],
        code=code_hash("tamflux.evaluation.intervals"),
    message:
        "counting the days inside the intervals"
    script:
        "../scripts/evaluate_intervals.py"


rule plot_intervals:
    input:
        coverage="results/validation/coverage.csv",
        ranking="results/validation/applicability.csv",
        cells="results/validation/intervals.nc",
        sites="results/samples/sites.csv",
        static="results/predictors/static.nc",
    output:
        **PLOTS["intervals"],
    log:
        "results/logs/validation/plot_intervals.log",
    benchmark:
        "results/benchmarks/validation/plot_intervals.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        split=config["training"]["split"],
        code=code_hash("tamflux.figures.interval_figures"),
    message:
        "drawing intervals and applicability"
    script:
        "../scripts/plot_intervals.py"
