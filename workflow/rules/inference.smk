REAL_MODELS = [*range(REAL_TOWERS["folds"]), *["all"][: "zero_shot" in REAL_TABLES]]


rule predict_tiles:
    input:
        cube="results/predictors/{year}.zarr",
        lookback=lambda wc: f"results/predictors/{lookback_year(wc.year)}.zarr",
        static="results/predictors/static.nc",
        checkpoints=checkpoints_of,
        feature_space="results/models/{model}_feature_space.safetensors",
    output:
        tiles=directory("results/tiles/{model}_{year}.zarr"),
    log:
        "results/logs/inference/predict_tiles_{model}_{year}.log",
    benchmark:
        "results/benchmarks/inference/predict_tiles_{model}_{year}.tsv"
    threads: workflow.resource_settings.cores or 8  # none is given where nothing runs
    resources:
        mem_mb=lambda wc, threads: 700
        + threads * (600 + config["grid"]["tile_size"] ** 2 // 3),
    params:
        code=code_of("predict_tiles"),
    message:
        "predicting the daily fluxes of {wildcards.year} with {wildcards.model}"
    script:
        "../scripts/predict_tiles.py"


rule predict_real_towers:
    input:
        **{
            f"fold_{fold}": expand(
                "results/real_towers/models/{fold}_{member}.safetensors",
                fold=fold,
                member=range(config["training"]["members"]),
            )
            for fold in REAL_MODELS
        },
        samples=expand("results/real_towers/{table}_samples.parquet", table=REAL_TABLES),
        sites=expand("results/real_towers/{table}_sites.csv", table=REAL_TABLES),
    output:
        predictions="results/real_towers/fluxes.parquet",
    log:
        "results/logs/inference/predict_real_towers.log",
    benchmark:
        "results/benchmarks/inference/predict_real_towers.tsv"
    threads: 2
    resources:
        mem_mb=3000,
    params:
        code=code_of("predict_real_towers"),
    message:
        "predicting every site with members that have not seen it"
    script:
        "../scripts/predict_real_towers.py"
