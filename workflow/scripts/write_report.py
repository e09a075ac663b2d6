from tamflux.job import job

with job(snakemake, "write the report"):
    from tamflux.report.write import write_report

    sections = "maps seasons scores truth references intervals towers training".split()
    tables = "scores site_scores agreement coverage ranking sites towers rejected adapted".split()
    write_report(
        snakemake.output.report,
        totals=snakemake.input.totals,
        annual=snakemake.input.annual,
        monthly=snakemake.input.monthly,
        figures={name: snakemake.input.get(f"{name}_figures", []) for name in sections},
        config=snakemake.params.config,
        **{
            name: snakemake.input.get(name) or None
            for name in [*tables, "truth_scores", "references"]
        },
    )
