from tamflux.job import job

with job(snakemake, "draw the product"):
    from tamflux.figures.product_figures import plot_product
    from tamflux.grid import Grid

    plot_product(
        snakemake.input.annual,
        snakemake.input.monthly,
        snakemake.input.static,
        Grid.from_config(snakemake.params.grid),
        dict(snakemake.output.items()),
        truth=snakemake.input.get("truth") or None,
    )
