from tamflux.job import job

with job(snakemake, "score the towers of the site table"):
    from tamflux.evaluation.real_towers_scores import score_real_towers

    score_real_towers(
        snakemake.input.predictions,
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.output.scores,
        snakemake.output.summary,
        **snakemake.params.protocol,
    )
