rule read_carbonfluxbench:
    input:
        carbonfluxbench_files,
    output:
        samples="results/carbonfluxbench/samples.parquet",
        sites="results/carbonfluxbench/sites.csv",
    log:
        "results/logs/carbonfluxbench/read_carbonfluxbench.log",
    benchmark:
        "results/benchmarks/carbonfluxbench/read_carbonfluxbench.tsv"
    conda:
        "../../envs/tamflux.yaml"
    threads: 1
    resources:
        mem_mb=6000,
    params:
        folder=(config["carbonfluxbench"] or {"folder": None})["folder"],
        code=code_hash("tamflux.samples.benchmark"),
    message:
        "reading and checking CarbonFluxBench"
    script:
        "../scripts/read_carbonfluxbench.py"
