COMPARED_DAYS = (
    {
        **{key: SITE_TABLE[key] for key in ("min_qc", "first_day", "min_days")},
        "years": None,
    }
    if SITE_TABLE
    else {
        "min_qc": 0.8,
        "min_days": 30,
        "first_day": None,
        "years": config["years"]["product"],
    }
)


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
        "results/logs/scores/score_models.log",
    benchmark:
        "results/benchmarks/scores/score_models.tsv"
    resources:
        mem_mb=1500,
    params:
        years=config["years"]["product"],
        code=code_of("score_models"),
    message:
        "scoring the models at held-out towers"
    script:
        "../scripts/score_models.py"


rule score_comparison:
    input:
        **COMPARED,
        predictions=expand(
            "results/comparison/{protocol}/{model}_{seed}.parquet",
            protocol=PROTOCOLS,
            model=COMPARISON["models"],
            seed=range(COMPARISON["seeds"]),
        ),
    output:
        scores="results/comparison/scores.csv",
        summary="results/comparison/summary.csv",
        differences="results/comparison/differences.csv",
    log:
        "results/logs/scores/score_comparison.log",
    benchmark:
        "results/benchmarks/scores/score_comparison.tsv"
    resources:
        mem_mb=4000,
    params:
        days=COMPARED_DAYS,
        seed=config["seed"],
        code=code_of("score_comparison"),
    message:
        "scoring the compared models at sites that they never saw"
    script:
        "../scripts/score_comparison.py"


if CELLS:

    rule score_cells:
        input:
            predictions=expand(
                "results/comparison/igbp/{model}_{seed}_cells.parquet",
                model=COMPARISON["models"],
                seed=range(COMPARISON["seeds"]),
            ),
            samples=expand(
                "results/comparison/cells_{year}.parquet",
                year=with_lookback(PRODUCT_YEARS),
            ),
            cells="results/comparison/cells.csv",
        output:
            scores="results/comparison/cells_scores.csv",
        log:
            "results/logs/scores/score_cells.log",
        benchmark:
            "results/benchmarks/scores/score_cells.tsv"
        resources:
            mem_mb=3000,
        params:
            code=code_of("score_cells"),
        message:
            "scoring the compared models between the towers"
        script:
            "../scripts/score_cells.py"


rule score_real_towers:
    input:
        predictions=rules.predict_real_towers.output.predictions,
        samples=rules.predict_real_towers.input.samples,
        sites=rules.predict_real_towers.input.sites,
    output:
        scores=expand(
            "results/real_towers/{name}.csv",
            name=[
                {"folds": "scores", "zero_shot": "zero_shot_scores"}[t]
                for t in REAL_TABLES
            ],
        ),
        summary="results/real_towers/summary.csv",
    log:
        "results/logs/scores/score_real_towers.log",
    benchmark:
        "results/benchmarks/scores/score_real_towers.tsv"
    resources:
        mem_mb=2000,
    params:
        protocol=PROTOCOL,
        code=code_of("score_real_towers"),
    message:
        "scoring the predictions at the towers"
    script:
        "../scripts/score_real_towers.py"
