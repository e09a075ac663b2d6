from tamflux.job import job

with job(snakemake, "adapt the model to each held-out tower"):
    from tamflux.adaptation.curve import adaptation_curve

    adaptation_curve(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.predictions,
        snakemake.input.checkpoint,
        snakemake.output.correction,
        snakemake.output.curve,
        snakemake.output.series,
        days=snakemake.params.days,
        min_qc=snakemake.params.min_qc,
        first_day=snakemake.params.first_day,
        seed=snakemake.params.seed,
    )
