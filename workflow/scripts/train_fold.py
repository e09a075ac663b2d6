from tamflux.job import job

model, fold = snakemake.wildcards.model, int(snakemake.wildcards.fold)
with job(snakemake, f"train {model} without fold {fold}"):
    from tamflux.uncertainty.folds import train_fold

    train_fold(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.output.checkpoint,
        snakemake.output.curve,
        name=model,
        fold=fold,
        folds=snakemake.params.folds,
        seed=snakemake.params.seed,
        train_years=snakemake.params.years,
        split=snakemake.params.split,
        predictors=snakemake.params.predictors,
        model=snakemake.params.model,
        training=snakemake.params.training,
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
