from tamflux.job import job

with job(snakemake, "calibrate"):
    from tamflux.uncertainty.out_of_fold import calibrate

    calibrate(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.checkpoints,
        snakemake.input.feature_space,
        snakemake.output.calibration,
        train_years=snakemake.params.years,
        predictors=snakemake.params.predictors,
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
