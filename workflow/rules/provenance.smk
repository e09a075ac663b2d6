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


rule checksum_years:
    input:
        files=files_of_kind,
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
        files=files_of_kind,
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
        tables=raw_tables,
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
