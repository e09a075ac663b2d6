# scores of the compared models, and the page and the table that show them
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
        "results/logs/comparison/score_comparison.log",
    benchmark:
        "results/benchmarks/comparison/score_comparison.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=4000,
    params:
        days=COMPARED_DAYS,
        seed=config["seed"],
        code=code_hash("tamflux.evaluation.comparison"),
    message:
        "scoring the compared models at sites that they never saw"
    script:
        "../scripts/score_comparison.py"


rule write_comparison:
    input:
        **({"cells": "results/comparison/cells_scores.csv"} if CELLS else {}),
        summary=rules.score_comparison.output.summary,
        differences=rules.score_comparison.output.differences,
    output:
        differences="results/comparison/differences.png",
        errors="results/comparison/errors.png",
        markdown="results/comparison/summary.md",
        page="results/comparison/report.html",
    log:
        "results/logs/comparison/write_comparison.log",
    benchmark:
        "results/benchmarks/comparison/write_comparison.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=1000,
    params:
        code=code_hash("tamflux.report.comparison_report"),
    message:
        "writing the comparison of models"
    script:
        "../scripts/write_comparison.py"


if CELLS:

    rule score_cells:
        input:
            predictions=expand(
                "results/comparison/igbp/{model}_{seed}_cells.parquet",
                model=COMPARISON["models"],
                seed=range(COMPARISON["seeds"]),
            ),
            samples=expand("results/comparison/cells_{year}.parquet", year=CELL_YEARS),
            cells="results/comparison/cells.csv",
        output:
            scores="results/comparison/cells_scores.csv",
        log:
            "results/logs/comparison/score_cells.log",
        benchmark:
            "results/benchmarks/comparison/score_cells.tsv"
        conda:
            "../../envs/tamflux.yaml"
        resources:
            mem_mb=3000,
        params:
            code=code_hash("tamflux.evaluation.comparison"),
        message:
            "scoring the compared models between the towers"
        script:
            "../scripts/score_cells.py"


rule compare_models:
    input:
        rules.write_comparison.output,
