# land cells of the demo Earth, predicted by the models of protocol igbp and scored by the truth
CELL_YEARS = sorted(
    {*config["years"]["product"], *map(lookback_year, config["years"]["product"])}
)


rule draw_cells:
    input:
        static="results/predictors/static.nc",
    output:
        cells="results/comparison/cells.csv",
    log:
        "results/logs/comparison/draw_cells.log",
    benchmark:
        "results/benchmarks/comparison/draw_cells.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=1000,
    params:
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        cells=COMPARISON["cells"],
        seed=config["seed"],
        code=code_hash("tamflux.samples.cells"),
    message:
        "drawing land cells between the towers"
    script:
        "../scripts/draw_cells.py"


rule extract_cells:
    input:
        unpack(cell_files),
    output:
        samples="results/comparison/cells_{year}.parquet",
    log:
        "results/logs/comparison/extract_cells_{year}.log",
    benchmark:
        "results/benchmarks/comparison/extract_cells_{year}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        code=code_hash("tamflux.samples.cells"),
    message:
        "taking the predictors and the truth of {wildcards.year} at the cells"
    script:
        "../scripts/extract_cells.py"


use rule compare_model as compare_model_and_cells with:
    input:
        **rules.compare_model.input,
        cells=expand("results/comparison/cells_{year}.parquet", year=CELL_YEARS),
        cells_sites="results/comparison/cells.csv",
    output:
        predictions="results/comparison/{protocol}/{model}_{seed}.parquet",
        cells="results/comparison/{protocol}/{model}_{seed}_cells.parquet",
    wildcard_constraints:
        model=r"\w+",
        protocol="igbp",
