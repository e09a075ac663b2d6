REFERENCES = {
    reference["name"]: reference for reference in config["validation"]["references"]
}
REFERENCE_TABLE = "results/validation/reference_scores.csv"
REFERENCE_FIGURES = [
    "results/validation/figures/reference_zonal.png",
    *(f"results/validation/figures/reference_map_{name}.png" for name in REFERENCES),
]


rule regrid_reference:
    input:
        files=reference_files,
    output:
        months="results/validation/references/{reference}.nc",
    log:
        "results/logs/validation/regrid_reference_{reference}.log",
    benchmark:
        "results/benchmarks/validation/regrid_reference_{reference}.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        reference=lambda wc: REFERENCES[wc.reference],
        files=lambda wc: {
            year: raw_files(REFERENCES[wc.reference]["path"], year)
            for year in config["years"]["product"]
        },
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        code=code_hash("tamflux.evaluation.references"),
    message:
        "bringing {wildcards.reference} to the grid of the product"
    script:
        "../scripts/regrid_reference.py"


rule plot_references:
    input:
        references=expand(
            "results/validation/references/{reference}.nc", reference=REFERENCES
        ),
        monthly=expand(
            "results/product/tamflux_monthly_{year}.nc",
            year=config["years"]["product"],
        ),
        static="results/predictors/static.nc",
    output:
        table=REFERENCE_TABLE,
        figures=REFERENCE_FIGURES,
    log:
        "results/logs/validation/plot_references.log",
    benchmark:
        "results/benchmarks/validation/plot_references.tsv"
    conda:
        "../../envs/tamflux.yaml"
    resources:
        mem_mb=2000,
    params:
        names=list(REFERENCES),
        years=config["years"]["product"],
        resolution=config["grid"]["resolution"],
        bbox=config["grid"]["bbox"],
        code=code_hash("tamflux.figures.reference_figures"),
    message:
        "comparing the product with {params.names}"
    script:
        "../scripts/plot_references.py"
