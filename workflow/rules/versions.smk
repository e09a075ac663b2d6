# The product against that of another version.
rule compare_versions:
    input:
        annual=expand("results/product/tamflux_annual_{year}.nc", year=PRODUCT_YEARS),
        inputs=expand("results/product/inputs_{year}.csv", year=PRODUCT_YEARS),
        totals="results/product/totals.csv",
    output:
        maps="results/versions/differences.nc",
        figure="results/versions/differences.png",
        totals="results/versions/totals.csv",
        provenance="results/versions/provenance.csv",
    log:
        "results/logs/product/compare_versions.log",
    benchmark:
        "results/benchmarks/product/compare_versions.tsv"
    resources:
        mem_mb=2000,
    params:
        old=config["previous_results"],
        state=state_of(previous_product),
        code=code_of("compare_versions"),
    message:
        "comparing the product with that of {params.old}"
    script:
        "../scripts/compare_versions.py"
