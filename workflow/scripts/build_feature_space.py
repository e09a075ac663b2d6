from tamflux.job import job

model = snakemake.wildcards.get("model", "the site table's model")
with job(snakemake, f"build the feature space of {model}"):
    from tamflux.uncertainty.out_of_fold import build_feature_space

    build_feature_space(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.checkpoints,
        snakemake.output.feature_space,
        train_years=snakemake.params.years,
        predictors=snakemake.params.predictors,
        split=snakemake.params.split,
        folds=snakemake.params.folds,
        seed=snakemake.params.seed,
    )
