# The baselines, fitted and scored like TAM-RL under each protocol.
rule compare_model:
    input:
        **COMPARED,
        folds="results/comparison/{protocol}/folds.csv",
        settings=lambda wc: (
            f"results/comparison/settings/{wc.model}.json"
            if wc.model in SEARCHED
            else []
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
        used=COMPARED_USED,
        sections=lambda wc: {} if wc.model in SEARCHED else MODEL_SECTIONS,
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


rule average_models:
    input:
        **{
            model: f"results/comparison/{{protocol}}/{model}_{{seed}}{{cells}}.parquet"
            for model in BOOSTED
        },
        network="results/comparison/{protocol}/continuous_lstm_{seed}{cells}.parquet",
        settings=expand("results/comparison/settings/{model}.json", model=BOOSTED),
    output:
        predictions="results/comparison/{protocol}/lstm_trees_{seed}{cells}.parquet",
    log:
        "results/logs/comparison/average_models_{protocol}_{seed}{cells}.log",
    benchmark:
        "results/benchmarks/comparison/average_models_{protocol}_{seed}{cells}.tsv"
    wildcard_constraints:
        seed=r"\d+",
        cells="|_cells",
    resources:
        mem_mb=1000,
    params:
        models=BOOSTED,
        code=code_of("average_models"),
    message:
        "{wildcards.protocol}: mean of LSTM and trees, repetition {wildcards.seed}"
    script:
        "../scripts/average_models.py"


ruleorder: average_models > compare_model


if CELLS:

    ruleorder: average_models > compare_model_and_cells


if config["real_towers"]:

    # the members of the ensemble are the repetitions of TAM-RL: none is trained twice
    use rule predict_real_towers as predict_member with:
        input:
            **{
                f"fold_{fold}": [
                    f"results/real_towers/models/{fold}_{{seed}}.safetensors"
                ]
                for fold in range(REAL_TOWERS["folds"])
            },
            samples=COMPARED["samples"],
            sites=[COMPARED["sites"]],
        output:
            predictions="results/comparison/folds/tamrl_{seed}.parquet",
        log:
            "results/logs/comparison/predict_member_{seed}.log",
        benchmark:
            "results/benchmarks/comparison/predict_member_{seed}.tsv"
        wildcard_constraints:
            seed=r"\d+",
        message:
            "folds: predicting with member {wildcards.seed} of TAM-RL"

    ruleorder: predict_member > compare_model


rule compare_models:
    input:
        rules.write_comparison.output,
