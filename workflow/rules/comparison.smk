COMPARISON = config["comparison"]
PROTOCOLS = COMPARISON["protocols"]
SITE_TABLE = config["real_towers"] or config["carbonfluxbench"]
CELLS = bool(TRUTH and COMPARISON["cells"] and not SITE_TABLE and "igbp" in PROTOCOLS)

# the samples compared on: those of a site table or of the benchmark, else those of the cube
COMPARED_YEARS = sorted({*VALIDATION_YEARS, *map(lookback_year, VALIDATION_YEARS)})
if config["real_towers"]:
    COMPARED = {
        "samples": ["results/real_towers/folds_samples.parquet"],
        "sites": "results/real_towers/folds_sites.csv",
    }
elif config["carbonfluxbench"]:
    COMPARED = {
        "samples": ["results/carbonfluxbench/samples.parquet"],
        "sites": "results/carbonfluxbench/sites.csv",
    }
else:
    COMPARED = {
        "samples": expand("results/samples/{year}.parquet", year=COMPARED_YEARS),
        "sites": "results/samples/sites.csv",
    }
COMPARED_TRAIN_YEARS = None if SITE_TABLE else config["years"]["train"]
COMPARED_PREDICTORS = None if SITE_TABLE else config["predictors"]["variables"]


wildcard_constraints:
    protocol="|".join(PROTOCOLS),
    seed=r"\d+",


rule draw_folds:
    input:
        sites=COMPARED["sites"],
    output:
        folds="results/comparison/{protocol}/folds.csv",
    log:
        "results/logs/comparison/draw_folds_{protocol}.log",
    benchmark:
        "results/benchmarks/comparison/draw_folds_{protocol}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=1000,
    params:
        seed=config["seed"],
        code=code_hash("tamflux.samples.protocols"),
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
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
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
        code=code_hash("tamflux.baselines.search"),
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
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        train_years=COMPARED_TRAIN_YEARS,
        predictors=COMPARED_PREDICTORS,
        code=code_hash("tamflux.baselines.fit"),
    message:
        "{wildcards.protocol}: fitting {wildcards.model}, repetition {wildcards.seed}"
    script:
        "../scripts/compare_model.py"
