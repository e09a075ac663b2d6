rule tabulate_totals:
    input:
        annual=expand("results/product/tamflux_annual_{year}.nc", year=PRODUCT_YEARS),
        monthly=expand("results/product/tamflux_monthly_{year}.nc", year=PRODUCT_YEARS),
        tiles=expand("results/tiles/tamrl_{year}.zarr", year=PRODUCT_YEARS),
        calibration="results/models/calibration.json",
        polygons=config["product"]["regions"] or [],
    output:
        totals="results/product/totals.csv",
        monthly="results/product/totals_monthly.csv",
    log:
        "results/logs/product/tabulate_totals.log",
    benchmark:
        "results/benchmarks/product/tabulate_totals.tsv"
    resources:
        mem_mb=2000,
    params:
        code=code_of("tabulate_totals"),
    message:
        "summing the fluxes of the box and of its regions"
    script:
        "../scripts/tabulate_totals.py"
