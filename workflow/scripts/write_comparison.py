from tamflux.job import job

with job(snakemake, "write the comparison of models"):
    from tamflux.figures.comparison_figures import plot_comparison
    from tamflux.report.comparison_report import write_comparison

    tables = (snakemake.input.summary, snakemake.input.differences)
    figures = (snakemake.output.differences, snakemake.output.errors, snakemake.output.skill)
    plot_comparison(*tables, *figures)
    write_comparison(
        *tables,
        snakemake.input.get("cells"),
        snakemake.input.settings,
        figures,
        snakemake.output.markdown,
        snakemake.output.page,
        curves=snakemake.input.curves,
        drawn_curve=snakemake.input.drawn_curve or None,
    )
