RECORDED = {
    key: config[key]
    for key in (
        "seed",
        "grid",
        "inputs",
        "predictors",
        "towers",
        "model",
        "calibration",
        "product",
    )
} | {
    "training": {k: v for k, v in config["training"].items() if k != "device"},
    "years": {"train": config["years"]["train"]},
}


def raw_sources(wildcards):
    """Tables of the raw files that a product year follows from."""
    year = int(wildcards.year)
    years = sorted({*TRAINING_YEARS, year, history_year(year)})
    sources = [f"{source}_{y}" for source in ("era5", "modis") for y in years]
    return expand(
        "results/provenance/{source}.csv", source=[*sources, "land", "towers"]
    )


def land_files(wildcards):
    """Static files of the land surface."""
    return [
        path
        for path in (
            config["inputs"][key] for key in ("landcover", "koppen", "elevation")
        )
        if path
    ]


def tower_files(wildcards):
    """Tower files, and the user's table of sites."""
    towers = config["inputs"]["towers"]
    return raw_files(towers["path"]) + ([towers["sites"]] if towers["sites"] else [])


rule checksum_years:
    input:
        files=lambda wc: {"era5": era5_files, "modis": modis_files}[wc.kind](wc),
    output:
        table="results/provenance/{kind}_{year}.csv",
    log:
        "results/logs/provenance/checksum_years_{kind}_{year}.log",
    benchmark:
        "results/benchmarks/provenance/checksum_years_{kind}_{year}.tsv"
    wildcard_constraints:
        kind="era5|modis",
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        source="{kind}_{year}",
        code=code_hash("tamflux.product.inputs"),
    message:
        "checksums of the {wildcards.kind} files of {wildcards.year}"
    script:
        "../scripts/checksum_inputs.py"


rule checksum_places:
    input:
        files=lambda wc: {"land": land_files, "towers": tower_files}[wc.kind](wc),
    output:
        table="results/provenance/{kind}.csv",
    log:
        "results/logs/provenance/checksum_places_{kind}.log",
    benchmark:
        "results/benchmarks/provenance/checksum_places_{kind}.tsv"
    wildcard_constraints:
        kind="land|towers",
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        source="{kind}",
        code=code_hash("tamflux.product.inputs"),
    message:
        "checksums of the files of {wildcards.kind}"
    script:
        "../scripts/checksum_inputs.py"


rule list_inputs:
    input:
        tables=raw_sources,
    output:
        table="results/product/inputs_{year}.csv",
    log:
        "results/logs/provenance/list_inputs_{year}.log",
    benchmark:
        "results/benchmarks/provenance/list_inputs_{year}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        code=code_hash("tamflux.product.inputs"),
    message:
        "listing the raw files behind the product of {wildcards.year}"
    script:
        "../scripts/list_inputs.py"
