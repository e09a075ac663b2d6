# The product against that of another version.
from glob import escape as glob_escape

PREVIOUS = config["previous_results"]


def previous_product(wc):
    """Annual files of the other version; never inputs, which a job may set aside."""
    files = glob(f"{glob_escape(str(PREVIOUS))}/product/tamflux_annual_*.nc")
    if not files:
        stop(
            "there is no other version to compare with",
            variable="previous_results",
            found=PREVIOUS or "null",
            expected="a folder of results with product/tamflux_annual_*.nc",
            fix="name the results of another run: --config previous_results=FOLDER",
        )
    return sorted(files)


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
        old=PREVIOUS,
        state=state_of(previous_product),
        code=code_of("compare_versions"),
    message:
        "comparing the product with that of {params.old}"
    script:
        "../scripts/compare_versions.py"
