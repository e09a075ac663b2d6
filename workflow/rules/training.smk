SPLIT_AND_SIZE = ("split", "members")
TRAINING = {
    key: value for key, value in config["training"].items() if key not in SPLIT_AND_SIZE
}


rule describe_sites:
    input:
        towers="results/towers/sites.csv",
        static="results/predictors/static.nc",
    output:
        sites="results/samples/sites.csv",
        dropped="results/samples/dropped.csv",
    log:
        "results/logs/samples/describe_sites.log",
    benchmark:
        "results/benchmarks/samples/describe_sites.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=1000,
    params:
        seed=config["seed"],
        code=code_hash("tamflux.samples.extract"),
    message:
        "finding the pixels of the towers and splitting the sites"
    script:
        "../scripts/describe_sites.py"


rule extract_samples:
    input:
        cube="results/predictors/{year}.zarr",
        sites="results/samples/sites.csv",
        fluxes="results/towers/fluxes.parquet",
    output:
        samples="results/samples/{year}.parquet",
    log:
        "results/logs/samples/extract_samples_{year}.log",
    benchmark:
        "results/benchmarks/samples/extract_samples_{year}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        code=code_hash("tamflux.samples.extract"),
    message:
        "taking the predictors of {wildcards.year} at the towers"
    script:
        "../scripts/extract_samples.py"


rule train_member:
    input:
        samples=expand(
            "results/samples/{year}.parquet",
            year=sorted(
                {
                    *config["years"]["train"],
                    *map(lookback_year, config["years"]["train"]),
                }
            ),
        ),
        sites="results/samples/sites.csv",
    output:
        checkpoint="results/models/{model}_{member}.safetensors",
        curve="results/models/{model}_{member}_curve.csv",
    log:
        "results/logs/training/train_member_{model}_{member}.log",
    benchmark:
        "results/benchmarks/training/train_member_{model}_{member}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        seed=config["seed"],
        years=config["years"]["train"],
        split=config["training"]["split"],
        predictors=config["predictors"]["variables"],
        model=config["model"],
        training=TRAINING,
        code=code_hash("tamflux.training.members"),
    message:
        "training {wildcards.model}, member {wildcards.member}"
    script:
        "../scripts/train_member.py"
