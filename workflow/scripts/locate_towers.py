from tamflux.job import job

with job(snakemake, f"locate towers {snakemake.wildcards.model}"):
    from tamflux.uncertainty.out_of_fold import locate_towers

    locate_towers(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.checkpoints,
        snakemake.output.places,
        train_years=snakemake.params.years,
        predictors=snakemake.params.predictors,
        split=snakemake.params.split,
        folds=snakemake.params.folds,
        seed=snakemake.params.seed,
    )
