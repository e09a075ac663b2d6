rule assemble_product:
    input:
        tiles="results/tiles/tamrl_{year}.zarr",
        static="results/predictors/static.nc",
        calibration="results/models/calibration.json",
        inputs="results/product/inputs_{year}.csv",
    output:
        daily="results/product/tamflux_daily_{year}.nc",
    log:
        "results/logs/product/assemble_product_{year}.log",
    benchmark:
        "results/benchmarks/product/assemble_product_{year}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 2
    resources:
        mem_mb=2000,
    params:
        code=code_hash("tamflux.product.assemble"),
        config=RECORDED,
    message:
        "assembling the daily product of {wildcards.year}"
    script:
        "../scripts/assemble_product.py"


rule aggregate_product:
    input:
        daily="results/product/tamflux_daily_{year}.nc",
    output:
        monthly="results/product/tamflux_monthly_{year}.nc",
        annual="results/product/tamflux_annual_{year}.nc",
    log:
        "results/logs/product/aggregate_product_{year}.log",
    benchmark:
        "results/benchmarks/product/aggregate_product_{year}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        code=code_hash("tamflux.product.aggregate"),
    message:
        "averaging the product of {wildcards.year} over months and the year"
    script:
        "../scripts/aggregate_product.py"


rule tabulate_totals:
    input:
        annual=expand(
            "results/product/tamflux_annual_{year}.nc", year=config["years"]["product"]
        ),
    output:
        totals="results/product/totals.csv",
    log:
        "results/logs/product/tabulate_totals.log",
    benchmark:
        "results/benchmarks/product/tabulate_totals.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=1000,
    params:
        code=code_hash("tamflux.product.totals"),
    message:
        "summing the fluxes of the globe and of its regions"
    script:
        "../scripts/tabulate_totals.py"


rule test_product:
    input:
        daily="results/product/tamflux_daily_{year}.nc",
        monthly="results/product/tamflux_monthly_{year}.nc",
        annual="results/product/tamflux_annual_{year}.nc",
        totals="results/product/totals.csv",
        static="results/predictors/static.nc",
        tests=collect(
            "{test}",
            test=[
                path
                for path in sorted(
                    Path(workflow.basedir, "tests/product").glob("*.py")
                )
                if path.stem != "test_responses"
            ],
        ),
    output:
        report="results/product/tests_{year}.txt",
    log:
        "results/logs/product/test_product_{year}.log",
    benchmark:
        "results/benchmarks/product/test_product_{year}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    message:
        "testing the product of {wildcards.year}"
    script:
        "../scripts/test_product.py"


rule test_responses:
    input:
        members=expand(
            "results/models/tamrl_{member}.safetensors",
            member=range(config["training"]["members"]),
        ),
        samples=expand("results/samples/{year}.parquet", year=TRAINING_YEARS),
        sites="results/samples/sites.csv",
        tests=str(Path(workflow.basedir, "tests/product/test_responses.py")),
    output:
        report="results/models/responses.txt",
    log:
        "results/logs/product/test_responses.log",
    benchmark:
        "results/benchmarks/product/test_responses.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2500,
    message:
        "testing the responses of the members to light, drought, warmth and snow"
    script:
        "../scripts/test_responses.py"
