from tamflux.job import job

with job(snakemake, "draw the adaptation curve"):
    from tamflux.figures.adaptation_figures import plot_adaptation_curve

    plot_adaptation_curve(snakemake.input.curves, snakemake.output.figure)
