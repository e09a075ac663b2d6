from tamflux.job import job

with job(snakemake, "score the compared models"):
    from tamflux.evaluation.comparison import score_comparison

    score_comparison(
        snakemake.input.predictions,
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.output.scores,
        snakemake.output.summary,
        snakemake.output.differences,
        seed=snakemake.params.seed,
        **snakemake.params.days,
    )
