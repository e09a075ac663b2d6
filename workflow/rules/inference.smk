rule predict_tiles:
    input:
        cube="results/predictors/{year}.zarr",
        lookback=lambda wc: f"results/predictors/{lookback_year(wc.year)}.zarr",
        static="results/predictors/static.nc",
        checkpoints=members_of,
        feature_space="results/models/{model}_feature_space.safetensors",
    output:
        tiles=directory("results/tiles/{model}_{year}.zarr"),
    log:
        "results/logs/inference/predict_tiles_{model}_{year}.log",
    benchmark:
        "results/benchmarks/inference/predict_tiles_{model}_{year}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: workflow.cores or 8
    resources:
        mem_mb=lambda wc, threads: 700
        + threads * (600 + config["grid"]["tile_size"] ** 2 // 3),
    params:
        code=code_hash("tamflux.inference.predict"),
    message:
        "predicting the daily fluxes of {wildcards.year} with {wildcards.model}"
    script:
        "../scripts/predict_tiles.py"
