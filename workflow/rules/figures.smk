PLOTS = {
    section: {name: f"results/validation/figures/{name}.png" for name in names}
    for section, names in FIGURES.items()
}


rule plot_product:
    input:
        annual=expand(
            "results/product/tamflux_annual_{year}.nc", year=config["years"]["product"]
        ),
        monthly=expand(
            "results/product/tamflux_monthly_{year}.nc",
            year=config["years"]["product"],
        ),
        static="results/predictors/static.nc",
        truth="results/validation/truth_maps.nc" if TRUTH else [],
    output:
        **PLOTS["maps"],
        **PLOTS["seasons"],
    log:
        "results/logs/figures/plot_product.log",
    benchmark:
        "results/benchmarks/figures/plot_product.tsv"
    resources:
        mem_mb=2000,
    params:
        grid=GRID,
        code=code_of("plot_product"),
    message:
        "drawing maps, zonal means and seasonal cycles"
    script:
        "../scripts/plot_product.py"


rule plot_sites:
    input:
        predictions="results/validation/site_predictions.parquet",
        sites="results/samples/sites.csv",
        site_scores="results/validation/site_scores.csv",
        curves=[
            f"results/models/{model}_{member}_curve.csv"
            for model, members in MEMBERS.items()
            for member in members
        ],
        static="results/predictors/static.nc",
    output:
        **PLOTS["scores"],
        **PLOTS["towers"],
        **PLOTS["training"],
    log:
        "results/logs/figures/plot_sites.log",
    benchmark:
        "results/benchmarks/figures/plot_sites.tsv"
    resources:
        mem_mb=2000,
    params:
        grid=GRID,
        split=config["training"]["split"],
        code=code_of("plot_sites"),
    message:
        "drawing towers, scores and learning curves"
    script:
        "../scripts/plot_sites.py"


rule plot_truth:
    input:
        maps="results/validation/truth_maps.nc",
        scores="results/validation/truth_scores.csv",
        sites="results/samples/sites.csv",
        static="results/predictors/static.nc",
    output:
        **PLOTS["truth"],
    log:
        "results/logs/figures/plot_truth.log",
    benchmark:
        "results/benchmarks/figures/plot_truth.tsv"
    resources:
        mem_mb=2000,
    params:
        grid=GRID,
        split=config["training"]["split"],
        code=code_of("plot_truth"),
    message:
        "drawing product and truth"
    script:
        "../scripts/plot_truth.py"


rule plot_intervals:
    input:
        coverage="results/validation/coverage.csv",
        ranking="results/validation/applicability.csv",
        cells="results/validation/intervals.nc",
        sites="results/samples/sites.csv",
        static="results/predictors/static.nc",
    output:
        **PLOTS["intervals"],
    log:
        "results/logs/figures/plot_intervals.log",
    benchmark:
        "results/benchmarks/figures/plot_intervals.tsv"
    resources:
        mem_mb=2000,
    params:
        grid=GRID,
        split=config["training"]["split"],
        code=code_of("plot_intervals"),
    message:
        "drawing intervals and applicability"
    script:
        "../scripts/plot_intervals.py"


rule plot_references:
    input:
        references=expand(
            "results/validation/references/{reference}.nc", reference=REFERENCES
        ),
        monthly=expand(
            "results/product/tamflux_monthly_{year}.nc",
            year=config["years"]["product"],
        ),
        static="results/predictors/static.nc",
    output:
        table=REFERENCE_TABLE,
        figures=REFERENCE_FIGURES,
    log:
        "results/logs/figures/plot_references.log",
    benchmark:
        "results/benchmarks/figures/plot_references.tsv"
    resources:
        mem_mb=2000,
    params:
        names=list(REFERENCES),
        years=config["years"]["product"],
        grid=GRID,
        code=code_of("plot_references"),
    message:
        "comparing the product with {params.names}"
    script:
        "../scripts/plot_references.py"
