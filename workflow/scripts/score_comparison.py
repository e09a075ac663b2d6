from tamflux.logs import job_log

with job_log(snakemake.log[0], "score the compared models"):
    from tamflux.validation.comparison import score_comparison

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
