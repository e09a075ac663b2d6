# The baselines, fitted and scored like TAM-RL under each protocol.
COMPARED_TRAIN_YEARS = None if SITE_TABLE else config["years"]["train"]
COMPARED_PREDICTORS = None if SITE_TABLE else CUBE_VARIABLES


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
        train_years=COMPARED_TRAIN_YEARS,
        predictors=COMPARED_PREDICTORS,
        sections=lambda wc: (
            {"model": config["model"], "training": TRAINING}
            if wc.model == "tamrl"
            else {}
        ),
        code=code_of("search_settings"),
    message:
        "choosing the settings of {wildcards.model}"
    script:
        "../scripts/search_settings.py"


rule compare_model:
    input:
        **COMPARED,
        folds="results/comparison/{protocol}/folds.csv",
        settings=lambda wc: "results/comparison/settings/{}.json".format(
            "tamrl" if wc.model.startswith("tamrl_") else wc.model
        ),
    output:
        predictions="results/comparison/{protocol}/{model}_{seed}.parquet",
    log:
        "results/logs/comparison/compare_model_{protocol}_{model}_{seed}.log",
    benchmark:
        "results/benchmarks/comparison/compare_model_{protocol}_{model}_{seed}.tsv"
    wildcard_constraints:
        model=r"\w+",
        protocol="|".join({*PROTOCOLS} - ({"igbp"} if CELLS else set())) or "none",
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        train_years=COMPARED_TRAIN_YEARS,
        predictors=COMPARED_PREDICTORS,
        code=code_of("compare_model"),
    message:
        "{wildcards.protocol}: fitting {wildcards.model}, repetition {wildcards.seed}"
    script:
        "../scripts/compare_model.py"


if CELLS:

    use rule compare_model as compare_model_and_cells with:
        input:
            **rules.compare_model.input,
            cells=expand(
                "results/comparison/cells_{year}.parquet",
                year=with_lookback(PRODUCT_YEARS),
            ),
            cells_sites="results/comparison/cells.csv",
        output:
            predictions="results/comparison/{protocol}/{model}_{seed}.parquet",
            cells="results/comparison/{protocol}/{model}_{seed}_cells.parquet",
        wildcard_constraints:
            model=r"\w+",
            protocol="igbp",


rule compare_models:
    input:
        rules.write_comparison.output,


rule real_towers:
    input:
        rules.score_real_towers.output,
        rules.predict_real_towers.output,
        rules.write_real_towers.output,
        [*ADAPTATION.values(), ADAPTATION_FIGURE] if REAL_TOWERS["adapt_days"] else [],
