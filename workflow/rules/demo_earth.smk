from tamflux.demo_earth.layout import (
    demo_era5_files,
    demo_modis_files,
    demo_static_files,
    demo_tower_files,
    tower_years,
    truth_store,
)


rule simulate_era5:
    output:
        files=list(demo_era5_files("{year}").values()),
    log:
        "results/logs/demo_earth/simulate_era5_{year}.log",
    benchmark:
        "results/benchmarks/demo_earth/simulate_era5_{year}.tsv"
    resources:
        mem_mb=2500,
    params:
        seed=config["seed"],
        resolution=config["grid"]["resolution"],
        code=code_of("simulate_era5"),
    message:
        "simulating the ERA5 files of {wildcards.year}"
    script:
        "../scripts/simulate_era5.py"


rule simulate_modis:
    output:
        files=list(
            demo_modis_files("{year}", config["demo_earth"]["composite_days"]).values()
        ),
    log:
        "results/logs/demo_earth/simulate_modis_{year}.log",
    benchmark:
        "results/benchmarks/demo_earth/simulate_modis_{year}.tsv"
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        resolution=config["grid"]["resolution"],
        composite_days=config["demo_earth"]["composite_days"],
        cmg_pixels=config["demo_earth"]["cmg_pixels"],
        code=code_of("simulate_modis"),
    message:
        "simulating the MODIS files of {wildcards.year}"
    script:
        "../scripts/simulate_modis.py"


rule simulate_static:
    output:
        **demo_static_files(),
    log:
        "results/logs/demo_earth/simulate_static.log",
    benchmark:
        "results/benchmarks/demo_earth/simulate_static.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("simulate_static"),
    message:
        "writing the land cover and the Köppen classes of the demo Earth"
    script:
        "../scripts/simulate_static.py"


rule simulate_towers:
    output:
        files=demo_tower_files(config["demo_earth"]["towers"], tower_years(config)),
    log:
        "results/logs/demo_earth/simulate_towers.log",
    benchmark:
        "results/benchmarks/demo_earth/simulate_towers.tsv"
    resources:
        mem_mb=1000,
    params:
        seed=config["seed"],
        towers=config["demo_earth"]["towers"],
        years=tower_years(config),
        code=code_of("simulate_towers"),
    message:
        "simulating the flux towers"
    script:
        "../scripts/simulate_towers.py"


rule simulate_truth:
    output:
        store=directory(truth_store("{year}")),
    log:
        "results/logs/demo_earth/simulate_truth_{year}.log",
    benchmark:
        "results/benchmarks/demo_earth/simulate_truth_{year}.tsv"
    resources:
        mem_mb=3000,
    params:
        seed=config["seed"],
        grid=config["grid"],
        code=code_of("simulate_truth"),
    message:
        "simulating the true fluxes of {wildcards.year}"
    script:
        "../scripts/simulate_truth.py"
