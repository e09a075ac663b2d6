from tamflux.job import job

with job(snakemake, "write the report"):
    from tamflux.report.write import write_report

    sections = "maps seasons scores truth references intervals towers training".split()
    write_report(
        snakemake.output.report,
        totals=snakemake.input.totals,
        annual=snakemake.input.annual,
        monthly=snakemake.input.monthly,
        scores=snakemake.input.scores,
        site_scores=snakemake.input.site_scores,
        agreement=snakemake.input.agreement,
        coverage=snakemake.input.coverage,
        ranking=snakemake.input.ranking,
        sites=snakemake.input.sites,
        towers=snakemake.input.towers,
        rejected=snakemake.input.rejected,
        figures={name: snakemake.input.get(f"{name}_figures", []) for name in sections},
        config=snakemake.params.config,
        truth_scores=snakemake.input.get("truth_scores") or None,
        references=snakemake.input.get("references") or None,
    )
