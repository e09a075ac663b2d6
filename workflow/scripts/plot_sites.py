from tamflux.job import job

with job(snakemake, "draw the towers"):
    from tamflux.figures.site_figures import plot_sites
    from tamflux.grid import Grid

    plot_sites(
        snakemake.input.predictions,
        snakemake.input.sites,
        snakemake.input.site_scores,
        snakemake.input.curves,
        snakemake.input.static,
        Grid.from_config(snakemake.params.grid),
        snakemake.params.split,
        dict(snakemake.output.items()),
    )
