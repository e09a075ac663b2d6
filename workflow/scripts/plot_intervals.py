from tamflux.job import job

with job(snakemake, "draw the intervals"):
    from tamflux.figures.interval_figures import plot_intervals
    from tamflux.grid import Grid

    plot_intervals(
        snakemake.input.coverage,
        snakemake.input.ranking,
        snakemake.input.cells,
        snakemake.input.sites,
        snakemake.input.static,
        Grid.from_config(snakemake.params.grid),
        snakemake.params.split,
        dict(snakemake.output.items()),
    )
