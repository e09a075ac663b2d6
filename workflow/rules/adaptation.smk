# Adaptation to the measured days of held-out towers, of the cube and of a site table.
CONTINUED = bool(  # the comparison has the trees that adaptation is compared with
    REAL_TOWERS["adapt_days"] and "lightgbm" in COMPARISON["models"]
)


rule adapt_held_out:
    input:
        samples=expand("results/samples/{year}.parquet", year=EVALUATED_YEARS),
        sites="results/samples/sites.csv",
        predictions="results/validation/site_predictions.parquet",
        folds=expand("results/models/folds/tamrl_{fold}.safetensors", fold=range(FOLDS)),
    output:
        series="results/validation/adapted_towers.parquet",
    log:
        "results/logs/adaptation/adapt_held_out.log",
    benchmark:
        "results/benchmarks/adaptation/adapt_held_out.tsv"
    resources:
        mem_mb=2500,
    params:
        split=config["training"]["split"],
        code=code_of("adapt_held_out"),
    message:
        "adapting the model to each held-out tower"
    script:
        "../scripts/adapt_held_out.py"


rule adaptation_curve:
    input:
        samples="results/real_towers/folds_samples.parquet",
        sites="results/real_towers/folds_sites.csv",
        predictions="results/real_towers/predictions.parquet",
        checkpoint="results/real_towers/models/0_0.safetensors",
    output:
        correction="results/real_towers/correction.json",
        curve="results/real_towers/adaptation.csv",
        series="results/real_towers/adapted.parquet",
    log:
        "results/logs/adaptation/adaptation_curve.log",
    benchmark:
        "results/benchmarks/adaptation/adaptation_curve.tsv"
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        days=REAL_TOWERS["adapt_days"],
        min_qc=PROTOCOL["min_qc"],
        first_day=PROTOCOL["first_day"],
        code=code_of("adaptation_curve"),
    message:
        "adapting the model to each held-out tower"
    script:
        "../scripts/adaptation_curve.py"


rule continue_lightgbm:
    input:
        samples=rules.adaptation_curve.input.samples,
        sites=rules.adaptation_curve.input.sites,
        predictions=rules.adaptation_curve.input.predictions,
        lightgbm=expand(
            "results/comparison/folds/lightgbm_{seed}.parquet",
            seed=range(COMPARISON["seeds"]),
        ),
    output:
        curve="results/comparison/adaptation_lightgbm.csv",
    log:
        "results/logs/adaptation/continue_lightgbm.log",
    benchmark:
        "results/benchmarks/adaptation/continue_lightgbm.tsv"
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        days=REAL_TOWERS["adapt_days"],
        min_qc=PROTOCOL["min_qc"],
        first_day=PROTOCOL["first_day"],
        monthly=REAL_TOWERS["monthly"],
        code=code_of("continue_lightgbm"),
    message:
        "continuing LightGBM with days of each held-out tower"
    script:
        "../scripts/continue_lightgbm.py"


rule plot_adaptation:
    input:
        curves=["results/real_towers/adaptation.csv"],
    output:
        figure="results/real_towers/figures/adaptation_curve.png",
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


use rule plot_adaptation as plot_compared_adaptation with:
    input:
        curves=[
            rules.adaptation_curve.output.curve,
            rules.continue_lightgbm.output.curve,
        ],
    output:
        figure="results/comparison/adaptation_curve.png",
    log:
        "results/logs/adaptation/plot_compared_adaptation.log",
    benchmark:
        "results/benchmarks/adaptation/plot_compared_adaptation.tsv"
