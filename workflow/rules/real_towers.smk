# The towers of a site table: intervals, and all that `real_towers` makes.
REAL_CALIBRATIONS = {
    f"fold_{fold}": f"results/real_towers/calibration/{fold}.json"
    for fold in [*range(REAL_TOWERS["folds"]), "all"]
}


rule calibrate_real_towers:
    input:
        fluxes="results/real_towers/fluxes.parquet",
        samples=expand("results/real_towers/{table}_samples.parquet", table=REAL_TABLES),
        sites=expand("results/real_towers/{table}_sites.csv", table=REAL_TABLES),
    output:
        **REAL_CALIBRATIONS,
        predictions="results/real_towers/predictions.parquet",
    log:
        "results/logs/uncertainty/calibrate_real_towers.log",
    benchmark:
        "results/benchmarks/uncertainty/calibrate_real_towers.tsv"
    resources:
        mem_mb=2000,
    params:
        protocol=PROTOCOL,
        code=code_of("calibrate_real_towers"),
    message:
        "calibrating the intervals with the errors at held-out towers"
    script:
        "../scripts/calibrate_real_towers.py"


rule evaluate_real_intervals:
    input:
        **REAL_CALIBRATIONS,
        predictions=rules.calibrate_real_towers.output.predictions,
        samples=rules.predict_real_towers.input.samples,
        sites=rules.predict_real_towers.input.sites,
    output:
        intervals="results/real_towers/intervals.csv",
    log:
        "results/logs/scores/evaluate_real_intervals.log",
    benchmark:
        "results/benchmarks/scores/evaluate_real_intervals.tsv"
    resources:
        mem_mb=2000,
    params:
        protocol=PROTOCOL,
        code=code_of("evaluate_real_intervals"),
    message:
        "counting the days and means of the towers inside their intervals"
    script:
        "../scripts/evaluate_real_intervals.py"


rule plot_real_intervals:
    input:
        intervals="results/real_towers/intervals.csv",
    output:
        figure="results/real_towers/figures/intervals.png",
    log:
        "results/logs/figures/plot_real_intervals.log",
    benchmark:
        "results/benchmarks/figures/plot_real_intervals.tsv"
    resources:
        mem_mb=1000,
    params:
        code=code_of("plot_real_intervals"),
    message:
        "drawing the intervals at the towers"
    script:
        "../scripts/plot_real_intervals.py"


rule real_towers:
    input:
        rules.score_real_towers.output,
        rules.calibrate_real_towers.output,
        rules.evaluate_real_intervals.output,
        rules.plot_real_intervals.output,
        rules.write_real_towers.output,
        rules.adaptation_curve.output.correction if REAL_TOWERS["adapt_days"] else [],
