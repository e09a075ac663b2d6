# Sites of the product: the towers that trained it, and the series of the user's points.
rule list_towers:
    input:
        **(
            {}
            if RELEASED
            else {
                "members": expand(
                    "results/models/tamrl_{member}.safetensors",
                    member=MEMBERS["tamrl"],
                ),
                "sites": "results/samples/sites.csv",
                "towers": "results/towers/sites.csv",
            }
        ),
    output:
        table="results/product/towers.csv",
    log:
        "results/logs/product/list_towers.log",
    benchmark:
        "results/benchmarks/product/list_towers.tsv"
    resources:
        mem_mb=1000,
    params:
        model=config["inference"]["model"],
        state=state_of(released_files) if RELEASED else [],
        demo=bool(TRUTH),
        code=code_of("list_towers"),
    message:
        "listing the towers behind the product with their licences"
    script:
        "../scripts/list_towers.py"


if config["product"]["sites"]:

    rule write_sites:
        input:
            daily=expand("results/product/tamflux_daily_{year}.nc", year=PRODUCT_YEARS),
            annual=expand(
                "results/product/tamflux_annual_{year}.nc", year=PRODUCT_YEARS
            ),
            towers="results/product/towers.csv",
        output:
            folder=directory("results/product/sites"),
        log:
            "results/logs/product/write_sites.log",
        benchmark:
            "results/benchmarks/product/write_sites.tsv"
        resources:
            mem_mb=2000,
        params:
            points=config["product"]["sites"],
            state=state_of(lambda wc: [config["product"]["sites"]]),
            code=code_of("write_sites"),
        message:
            "writing the series of the sites in {params.points}"
        script:
            "../scripts/write_sites.py"
