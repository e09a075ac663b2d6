from tamflux.job import job

with job(snakemake, "write the scores of the towers"):
    from tamflux.figures.comparison_figures import plot_skill
    from tamflux.report.real_towers_report import write_real_towers

    plot_skill(snakemake.input.summary, snakemake.output.skill)
    write_real_towers(
        snakemake.input.summary,
        snakemake.input.sites,
        [snakemake.output.skill, snakemake.input.intervals],
        snakemake.output.markdown,
        snakemake.output.page,
        **{name: snakemake.input.get(name) or None for name in ("curve", "drawn_curve", "series")},
    )
