from tamflux.job import job

with job(snakemake, "draw the towers"):
    from tamflux.grid import Grid
    from tamflux.validation.site_figures import plot_sites

    plot_sites(
        snakemake.input.predictions,
        snakemake.input.sites,
        snakemake.input.site_scores,
        snakemake.input.curves,
        snakemake.input.static,
        Grid(snakemake.params.resolution, tuple(snakemake.params.bbox)),
        snakemake.params.split,
        dict(snakemake.output.items()),
    )
