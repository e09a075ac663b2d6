from tamflux.job import job

with job(snakemake, "calibrate"):
    from tamflux.uncertainty.out_of_fold import calibrate

    paths, members = snakemake.input.checkpoints, snakemake.params.members
    calibrate(
        snakemake.input.samples,
        snakemake.input.sites,
        [paths[start : start + members] for start in range(0, len(paths), members)],
        snakemake.input.feature_space,
        snakemake.output.calibration,
        train_years=snakemake.params.years,
        predictors=snakemake.params.predictors,
        code=snakemake.params.code,
        without_fold=snakemake.output.get("without_fold", []),
        threads=snakemake.threads,
    )
