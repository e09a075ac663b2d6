from tamflux.job import job

with job(snakemake, "compare with reference products"):
    from tamflux.figures.reference_figures import plot_references
    from tamflux.grid import Grid

    plot_references(
        snakemake.input.references,
        snakemake.input.monthly,
        snakemake.input.static,
        Grid.from_config(snakemake.params.grid),
        snakemake.params.years,
        snakemake.output.table,
        dict(zip(["zonal", *snakemake.params.names], snakemake.output.figures, strict=True)),
    )
