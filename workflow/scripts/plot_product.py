from tamflux.job import job

with job(snakemake, "draw the product"):
    from tamflux.grid import Grid
    from tamflux.validation.product_figures import plot_product

    plot_product(
        snakemake.input.annual,
        snakemake.input.monthly,
        snakemake.input.static,
        Grid(snakemake.params.resolution, tuple(snakemake.params.bbox)),
        dict(snakemake.output.items()),
        truth=snakemake.input.get("truth") or None,
    )
