from tamflux.logs import job_log

with job_log(snakemake.log[0], "draw the towers"):
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
