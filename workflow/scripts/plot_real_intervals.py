from tamflux.job import job

with job(snakemake, "draw the intervals at the towers"):
    from tamflux.figures.interval_figures import plot_real_intervals

    plot_real_intervals(snakemake.input.intervals, snakemake.output.figure)
