FIGURES = {
    "maps": ["map_gpp", "map_reco", "map_nee", "map_std", "map_seasons"],
    "seasons": ["zonal_means", "seasonal_cycles"],
    "scores": [
        "site_scores",
        "site_means",
        "tower_series_gpp",
        "tower_series_reco",
        "tower_series_nee",
    ],
    "truth": ["truth_maps", "truth_skill", "truth_scatter", "truth_distance"],
    "intervals": [
        "interval_reliability",
        "interval_classes",
        "map_applicability",
        "applicability_error",
    ],
    "towers": ["tower_network"],
    "training": ["learning_curves"],
}
PLOTS = {
    section: {name: f"results/validation/figures/{name}.png" for name in names}
    for section, names in FIGURES.items()
}
if not TRUTH:
    del FIGURES["truth"]
    FIGURES["intervals"].remove("applicability_error")
    del PLOTS["intervals"]["applicability_error"]


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
        "results/logs/validation/plot_product.log",
    benchmark:
        "results/benchmarks/validation/plot_product.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        code=code_hash("tamflux.figures.product_figures"),
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
        "results/logs/validation/plot_sites.log",
    benchmark:
        "results/benchmarks/validation/plot_sites.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        split=config["training"]["split"],
        code=code_hash("tamflux.figures.site_figures"),
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
        "results/logs/validation/plot_truth.log",
    benchmark:
        "results/benchmarks/validation/plot_truth.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        split=config["training"]["split"],
        code=code_hash("tamflux.figures.truth_figures"),
    message:
        "drawing product and truth"
    script:
        "../scripts/plot_truth.py"
