from tamflux.job import job

with job(snakemake, "score the models at held-out towers"):
    from tamflux.evaluation.scores import score_models

    score_models(
        snakemake.input.predictions,
        snakemake.input.sites,
        dict(zip(snakemake.params.years, snakemake.input.daily, strict=True)),
        snakemake.output.site_scores,
        snakemake.output.scores,
        snakemake.output.agreement,
    )
