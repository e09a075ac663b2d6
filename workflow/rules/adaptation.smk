# How errors at held-out towers fall with the days that they have measured.
ADAPTATION = {
    "correction": "results/real_towers/correction.json",
    "curve": "results/real_towers/adaptation.csv",
}
ADAPTATION_FIGURE = "results/real_towers/figures/adaptation_curve.png"


rule adaptation_curve:
    input:
        samples="results/real_towers/folds_samples.parquet",
        sites="results/real_towers/folds_sites.csv",
        predictions="results/real_towers/predictions.parquet",
        checkpoint="results/real_towers/models/0_0.safetensors",
    output:
        **ADAPTATION,
    log:
        "results/logs/adaptation/adaptation_curve.log",
    benchmark:
        "results/benchmarks/adaptation/adaptation_curve.tsv"
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        days=REAL_TOWERS["adapt_days"],
        min_qc=REAL_TOWERS.get("min_qc"),
        first_day=REAL_TOWERS.get("first_day"),
        code=code_of("adaptation_curve"),
    message:
        "adapting the model to each held-out tower"
    script:
        "../scripts/adaptation_curve.py"


rule plot_adaptation:
    input:
        curve=ADAPTATION["curve"],
    output:
        figure=ADAPTATION_FIGURE,
    log:
        "results/logs/adaptation/plot_adaptation.log",
    benchmark:
        "results/benchmarks/adaptation/plot_adaptation.tsv"
    resources:
        mem_mb=1000,
    params:
        code=code_of("plot_adaptation"),
    message:
        "drawing how errors fall with measured days"
    script:
        "../scripts/plot_adaptation.py"
