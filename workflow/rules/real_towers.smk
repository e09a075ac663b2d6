REAL_TOWERS = config["real_towers"] or {"folds": 0, "predict_days": None}
REAL_TABLES = ["folds", "zero_shot"] if REAL_TOWERS["predict_days"] else ["folds"]
REAL_MODELS = [
    *range(REAL_TOWERS["folds"]),
    *(["all"] if "zero_shot" in REAL_TABLES else []),
]
REAL_SCORES = {"folds": "scores", "zero_shot": "zero_shot_scores"}


wildcard_constraints:
    table="folds|zero_shot",
    fold=r"\d+|all",


rule read_site_table:
    input:
        site_table,
    output:
        samples="results/real_towers/{table}_samples.parquet",
        sites="results/real_towers/{table}_sites.csv",
    log:
        "results/logs/real_towers/read_site_table_{table}.log",
    benchmark:
        "results/benchmarks/real_towers/read_site_table_{table}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        n_folds=lambda wc: REAL_TOWERS["folds"] if wc.table == "folds" else None,
        code=code_hash("tamflux.samples.site_table"),
    message:
        "reading and checking the site table ({wildcards.table})"
    script:
        "../scripts/read_site_table.py"


rule train_real_member:
    input:
        samples="results/real_towers/folds_samples.parquet",
        sites="results/real_towers/folds_sites.csv",
    output:
        checkpoint="results/real_towers/models/{fold}_{member}.safetensors",
        curve="results/real_towers/models/{fold}_{member}_curve.csv",
    log:
        "results/logs/real_towers/train_real_member_{fold}_{member}.log",
    benchmark:
        "results/benchmarks/real_towers/train_real_member_{fold}_{member}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        seed=config["seed"],
        model=config["model"],
        training=TRAINING,
        code=code_hash("tamflux.training.real_towers"),
    message:
        "training member {wildcards.member} without fold {wildcards.fold}"
    script:
        "../scripts/train_real_member.py"


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
        predictions="results/real_towers/predictions.parquet",
    log:
        "results/logs/real_towers/predict_real_towers.log",
    benchmark:
        "results/benchmarks/real_towers/predict_real_towers.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 2
    resources:
        mem_mb=3000,
    params:
        code=code_hash("tamflux.training.real_towers"),
    message:
        "predicting every site with members that have not seen it"
    script:
        "../scripts/predict_real_towers.py"


rule score_real_towers:
    input:
        predictions=rules.predict_real_towers.output.predictions,
        samples=rules.predict_real_towers.input.samples,
        sites=rules.predict_real_towers.input.sites,
    output:
        scores=expand(
            "results/real_towers/{name}.csv",
            name=[REAL_SCORES[table] for table in REAL_TABLES],
        ),
        summary="results/real_towers/summary.csv",
    log:
        "results/logs/real_towers/score_real_towers.log",
    benchmark:
        "results/benchmarks/real_towers/score_real_towers.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        protocol={
            key: REAL_TOWERS.get(key) for key in ("min_qc", "first_day", "min_days")
        },
        code=code_hash("tamflux.evaluation.real_towers_scores"),
    message:
        "scoring the predictions at the towers"
    script:
        "../scripts/score_real_towers.py"


rule real_towers:
    input:
        rules.score_real_towers.output,
        rules.predict_real_towers.output,
