OF_TOWERS = {
    "scores": "results/validation/scores.csv",
    "site_scores": "results/validation/site_scores.csv",
    "agreement": "results/validation/product_agreement.csv",
    "coverage": "results/validation/coverage.csv",
    "ranking": "results/validation/applicability.csv",
    "sites": "results/samples/sites.csv",
    "towers": "results/towers/sites.csv",
    "rejected": "results/towers/rejected.csv",
}
if not SCORED_FOLDS:  # towers to adapt to, which taught nothing
    OF_TOWERS["adapted"] = "results/validation/adapted_towers.parquet"


rule write_report:
    input:
        **{
            f"{section}_figures": [
                f"results/validation/figures/{name}.png" for name in names
            ]
            for section, names in FIGURES.items()
            if section in OF_REPORT
        },
        **({} if RELEASED else OF_TOWERS),
        references_figures=REFERENCE_FIGURES if REFERENCES else [],
        references=REFERENCE_TABLE if REFERENCES else [],
        totals="results/product/totals.csv",
        annual=expand(
            "results/product/tamflux_annual_{year}.nc", year=config["years"]["product"]
        ),
        monthly=expand(
            "results/product/tamflux_monthly_{year}.nc",
            year=config["years"]["product"],
        ),
        truth_scores="results/validation/truth_scores.csv" if TRUTH else [],
        templates=sorted(
            map(
                of_source,
                Path(workflow.basedir, "src/tamflux/report/templates").iterdir(),
            )
        ),
    output:
        report="results/report.html",
    log:
        "results/logs/report/write_report.log",
    benchmark:
        "results/benchmarks/report/write_report.tsv"
    resources:
        mem_mb=1000,
    params:
        config=config,
        code=code_of("write_report"),
    message:
        "writing the report"
    script:
        "../scripts/write_report.py"


if not RELEASED:

    rule write_model_card:
        input:
            checkpoints=expand(
                "results/models/tamrl_{member}.safetensors",
                member=range(config["training"]["members"]),
            ),
            sites="results/samples/sites.csv",
            scores="results/validation/scores.csv",
            site_scores="results/validation/site_scores.csv",
            calibration="results/models/calibration.json",
            template=of_source("src/tamflux/report/templates/model_card.md.j2"),
        output:
            card="results/models/model_card.md",
        log:
            "results/logs/report/write_model_card.log",
        benchmark:
            "results/benchmarks/report/write_model_card.tsv"
        resources:
            mem_mb=1000,
        params:
            years=config["years"]["train"],
            demo=config["validation"]["truth"] is not None,
            code=code_of("write_model_card"),
        message:
            "writing the model card"
        script:
            "../scripts/write_model_card.py"


rule write_comparison:
    input:
        **({"cells": "results/comparison/cells_scores.csv"} if CELLS else {}),
        summary=rules.score_comparison.output.summary,
        differences=rules.score_comparison.output.differences,
        settings=expand("results/comparison/settings/{model}.json", model=SEARCHED),
        curves=rules.plot_compared_adaptation.input.curves if CONTINUED else [],
        drawn_curve=rules.plot_compared_adaptation.output.figure if CONTINUED else [],
    output:
        differences="results/comparison/differences.png",
        errors="results/comparison/errors.png",
        skill="results/comparison/skill.png",
        markdown="results/comparison/tables.md",
        page="results/comparison/report.html",
    log:
        "results/logs/report/write_comparison.log",
    benchmark:
        "results/benchmarks/report/write_comparison.tsv"
    resources:
        mem_mb=1000,
    params:
        code=code_of("write_comparison"),
    message:
        "writing the comparison of models"
    script:
        "../scripts/write_comparison.py"


rule write_real_towers:
    input:
        **(
            {
                "curve": rules.adaptation_curve.output.curve,
                "series": rules.adaptation_curve.output.series,
                "drawn_curve": rules.plot_adaptation.output.figure,
            }
            if REAL_TOWERS["adapt_days"]
            else {}
        ),
        summary=rules.score_real_towers.output.summary,
        sites="results/real_towers/folds_sites.csv",
        intervals="results/real_towers/figures/intervals.png",
    output:
        skill="results/real_towers/skill.png",
        markdown="results/real_towers/tables.md",
        page="results/real_towers/report.html",
    log:
        "results/logs/report/write_real_towers.log",
    benchmark:
        "results/benchmarks/report/write_real_towers.tsv"
    resources:
        mem_mb=1000,
    params:
        code=code_of("write_real_towers"),
    message:
        "writing the scores of the towers"
    script:
        "../scripts/write_real_towers.py"
