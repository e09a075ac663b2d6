VALIDATION_YEARS = sorted({*config["years"]["train"], *config["years"]["product"]})
MEMBERS = {"tamrl": range(config["training"]["members"]), "lstm": range(1)}
TRUTH = config["validation"]["truth"]  # null with real data: no part with the truth


rule evaluate_sites:
    input:
        samples=expand(
            "results/samples/{year}.parquet",
            year=sorted({*VALIDATION_YEARS, *map(lookback_year, VALIDATION_YEARS)}),
        ),
        sites="results/samples/sites.csv",
        static="results/predictors/static.nc",
        tamrl=expand(
            "results/models/tamrl_{member}.safetensors", member=MEMBERS["tamrl"]
        ),
        lstm=expand("results/models/lstm_{member}.safetensors", member=MEMBERS["lstm"]),
    output:
        predictions="results/validation/site_predictions.parquet",
    log:
        "results/logs/validation/evaluate_sites.log",
    benchmark:
        "results/benchmarks/validation/evaluate_sites.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=2500,
    params:
        years=sorted({*VALIDATION_YEARS, *map(lookback_year, VALIDATION_YEARS)}),
        train_years=config["years"]["train"],
        product_years=config["years"]["product"],
        split=config["training"]["split"],
        code=code_hash("tamflux.evaluation.sites"),
    message:
        "predicting the fluxes of every tower"
    script:
        "../scripts/evaluate_sites.py"


rule score_models:
    input:
        predictions="results/validation/site_predictions.parquet",
        sites="results/samples/sites.csv",
        daily=expand(
            "results/product/tamflux_daily_{year}.nc", year=config["years"]["product"]
        ),
    output:
        site_scores="results/validation/site_scores.csv",
        scores="results/validation/scores.csv",
        agreement="results/validation/product_agreement.csv",
    log:
        "results/logs/validation/score_models.log",
    benchmark:
        "results/benchmarks/validation/score_models.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=1500,
    params:
        years=config["years"]["product"],
        code=code_hash("tamflux.evaluation.scores"),
    message:
        "scoring the models at held-out towers"
    script:
        "../scripts/score_models.py"


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
        "results/logs/validation/evaluate_truth.log",
    benchmark:
        "results/benchmarks/validation/evaluate_truth.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2500,
    params:
        years=config["years"]["product"],
        train_years=config["years"]["train"],
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        tile_size=config["grid"]["tile_size"],
        code=code_hash("tamflux.evaluation.truth"),
    message:
        "comparing the product with the truth in every cell"
    script:
        "../scripts/evaluate_truth.py"
