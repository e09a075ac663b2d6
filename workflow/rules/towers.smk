rule harmonise_towers:
    input:
        of_demo(tower_files),
    output:
        fluxes="results/towers/fluxes.parquet",
        sites="results/towers/sites.csv",
        rejected="results/towers/rejected.csv",
    log:
        "results/logs/towers/harmonise_towers.log",
    benchmark:
        "results/benchmarks/towers/harmonise_towers.tsv"
    resources:
        mem_mb=2000,
    params:
        files=lambda wc: raw_files(config["inputs"]["towers"]["path"]),
        site_table=config["inputs"]["towers"]["sites"],
        state=state_of(tower_files),
        limits=config["towers"],
        grid=GRID,
        code=code_of("harmonise_towers"),
    message:
        "reading the tower files, checking them and merging the networks"
    script:
        "../scripts/harmonise_towers.py"
