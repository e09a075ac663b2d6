rule train_fold:
    input:
        samples=expand("results/samples/{year}.parquet", year=TRAINING_YEARS),
        sites="results/samples/sites.csv",
    output:
        checkpoint="results/models/folds/{model}_{fold}.safetensors",
        curve="results/models/folds/{model}_{fold}_curve.csv",
    log:
        "results/logs/uncertainty/train_fold_{model}_{fold}.log",
    benchmark:
        "results/benchmarks/uncertainty/train_fold_{model}_{fold}.tsv"
    resources:
        mem_mb=2000,
    params:
        folds=FOLDS,
        seed=config["seed"],
        years=config["years"]["train"],
        split=config["training"]["split"],
        predictors=CUBE_VARIABLES,
        model=config["model"],
        training=TRAINING,
        code=code_of("train_fold"),
    message:
        "training {wildcards.model} without the towers of fold {wildcards.fold}"
    script:
        "../scripts/train_fold.py"


rule build_feature_space:
    input:
        samples=expand("results/samples/{year}.parquet", year=TRAINING_YEARS),
        sites="results/samples/sites.csv",
        checkpoints=checkpoints_of,
    output:
        feature_space="results/models/{model}_feature_space.safetensors",
    log:
        "results/logs/uncertainty/locate_towers_{model}.log",
    benchmark:
        "results/benchmarks/uncertainty/locate_towers_{model}.tsv"
    resources:
        mem_mb=2000,
    params:
        folds=FOLDS,
        seed=config["seed"],
        years=config["years"]["train"],
        split=config["training"]["split"],
        predictors=CUBE_VARIABLES,
        code=code_of("build_feature_space"),
    message:
        "building the feature space of the training towers for {wildcards.model}"
    script:
        "../scripts/build_feature_space.py"


rule calibrate:
    input:
        samples=expand("results/samples/{year}.parquet", year=TRAINING_YEARS),
        sites="results/samples/sites.csv",
        checkpoints=expand(
            "results/models/folds/tamrl_{fold}.safetensors", fold=range(FOLDS)
        ),
        feature_space="results/models/tamrl_feature_space.safetensors",
    output:
        calibration="results/models/calibration.json",
        without_fold=expand(
            "results/models/folds/calibration_{fold}.json", fold=SCORED_FOLDS
        ),
    log:
        "results/logs/uncertainty/calibrate.log",
    benchmark:
        "results/benchmarks/uncertainty/calibrate.tsv"
    resources:
        mem_mb=2000,
    params:
        members=1,  # of each fold
        years=config["years"]["train"],
        predictors=CUBE_VARIABLES,
        code=code_of("calibrate"),
    message:
        "calibrating the intervals with out-of-fold errors"
    script:
        "../scripts/calibrate.py"


rule build_real_feature_space:
    input:
        samples=["results/real_towers/folds_samples.parquet"],
        sites="results/real_towers/folds_sites.csv",
        checkpoints=expand(
            "results/real_towers/models/all_{member}.safetensors",
            member=MEMBERS["tamrl"],
        ),
    output:
        feature_space="results/real_towers/feature_space.safetensors",
    log:
        "results/logs/uncertainty/build_real_feature_space.log",
    benchmark:
        "results/benchmarks/uncertainty/build_real_feature_space.tsv"
    resources:
        mem_mb=3000,
    params:
        folds=REAL_TOWERS["folds"],
        seed=config["seed"],
        years=None,  # all, with the predictors and folds of the table
        split=None,
        predictors=None,
        code=code_of("build_feature_space"),
    message:
        "building the feature space of the towers of the site table"
    script:
        "../scripts/build_feature_space.py"


rule calibrate_real:
    input:
        samples=["results/real_towers/folds_samples.parquet"],
        sites="results/real_towers/folds_sites.csv",
        checkpoints=expand(
            "results/real_towers/models/{fold}_{member}.safetensors",
            fold=range(REAL_TOWERS["folds"]),
            member=MEMBERS["tamrl"],
        ),
        feature_space=rules.build_real_feature_space.output.feature_space,
    output:
        calibration="results/real_towers/calibration.json",
    log:
        "results/logs/uncertainty/calibrate_real.log",
    benchmark:
        "results/benchmarks/uncertainty/calibrate_real.tsv"
    resources:
        mem_mb=3000,
    params:
        members=len(MEMBERS["tamrl"]),
        years=None,
        predictors=None,
        code=code_of("calibrate"),
    message:
        "calibrating the intervals with out-of-fold errors at the towers of the site table"
    script:
        "../scripts/calibrate.py"
