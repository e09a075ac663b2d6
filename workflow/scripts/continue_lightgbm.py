from tamflux.job import job

with job(snakemake, "continue LightGBM with days of each held-out tower"):
    from tamflux.baselines.continued_lightgbm import lightgbm_curve

    lightgbm_curve(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.predictions,
        snakemake.input.lightgbm,
        snakemake.output.curve,
        days=snakemake.params.days,
        min_qc=snakemake.params.min_qc,
        first_day=snakemake.params.first_day,
        monthly=snakemake.params.monthly,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
