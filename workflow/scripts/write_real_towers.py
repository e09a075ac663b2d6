from tamflux.job import job

with job(snakemake, "write the scores of the towers"):
    from tamflux.figures.comparison_figures import plot_skill
    from tamflux.report.comparison_report import write_site_tables

    plot_skill(snakemake.input.summary, snakemake.output.skill)
    write_site_tables(snakemake.input.summary, snakemake.output.markdown)
