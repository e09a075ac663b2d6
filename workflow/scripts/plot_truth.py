from tamflux.job import job

with job(snakemake, "draw the comparison with the truth"):
    from tamflux.figures.truth_figures import plot_truth
    from tamflux.grid import Grid

    plot_truth(
        snakemake.input.maps,
        snakemake.input.scores,
        snakemake.input.sites,
        snakemake.input.static,
        Grid.from_config(snakemake.params.grid),
        snakemake.params.split,
        dict(snakemake.output.items()),
    )
