# Before the comparison: what all models are given, the folds, and the trials of the baselines.
COMPARED_USED = {  # years that train, and predictors; None: all
    "train_years": None if SITE_TABLE else config["years"]["train"],
    "predictors": None if SITE_TABLE else CUBE_VARIABLES,
    "monthly": REAL_TOWERS["monthly"],
}
MODEL_SECTIONS = {"model": config["model"], "training": TRAINING}


rule draw_folds:
    input:
        sites=COMPARED["sites"],
    output:
        folds="results/comparison/{protocol}/folds.csv",
    log:
        "results/logs/comparison/draw_folds_{protocol}.log",
    benchmark:
        "results/benchmarks/comparison/draw_folds_{protocol}.tsv"
    resources:
        mem_mb=1000,
    params:
        seed=config["seed"],
        code=code_of("draw_folds"),
    message:
        "drawing the folds of {wildcards.protocol}"
    script:
        "../scripts/draw_folds.py"


rule search_settings:
    input:
        **COMPARED,
        folds=f"results/comparison/{PROTOCOLS[0]}/folds.csv",
    output:
        settings="results/comparison/settings/{model}.json",
    log:
        "results/logs/comparison/search_settings_{model}.log",
    benchmark:
        "results/benchmarks/comparison/search_settings_{model}.tsv"
    wildcard_constraints:
        model=r"\w+",
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        used=COMPARED_USED,
        sections=lambda wc: MODEL_SECTIONS if wc.model == "continuous_lstm" else {},
        code=code_of("search_settings"),
    message:
        "choosing the settings of {wildcards.model}"
    script:
        "../scripts/search_settings.py"
