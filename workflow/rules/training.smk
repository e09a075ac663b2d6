rule train_member:
    input:
        samples=expand(
            "results/samples/{year}.parquet",
            year=TRAINING_YEARS,
        ),
        sites="results/samples/sites.csv",
    output:
        checkpoint="results/models/{model}_{member}.safetensors",
        curve="results/models/{model}_{member}_curve.csv",
    log:
        "results/logs/training/train_member_{model}_{member}.log",
    benchmark:
        "results/benchmarks/training/train_member_{model}_{member}.tsv"
    resources:
        mem_mb=2000,
    params:
        seed=config["seed"],
        years=config["years"]["train"],
        split=config["training"]["split"],
        predictors=CUBE_VARIABLES,
        model=config["model"],
        training=TRAINING,
        code=code_of("train_member"),
    message:
        "training {wildcards.model}, member {wildcards.member}"
    script:
        "../scripts/train_member.py"


rule train_real_member:
    input:
        samples="results/real_towers/folds_samples.parquet",
        sites="results/real_towers/folds_sites.csv",
    output:
        checkpoint="results/real_towers/models/{fold}_{member}.safetensors",
        curve="results/real_towers/models/{fold}_{member}_curve.csv",
    log:
        "results/logs/training/train_real_member_{fold}_{member}.log",
    benchmark:
        "results/benchmarks/training/train_real_member_{fold}_{member}.tsv"
    resources:
        mem_mb=2000,
    params:
        seed=config["seed"],
        monthly=REAL_TOWERS["monthly"],
        model=config["model"],
        training=TRAINING,
        code=code_of("train_real_member"),
    message:
        "training member {wildcards.member} without fold {wildcards.fold}"
    script:
        "../scripts/train_real_member.py"
