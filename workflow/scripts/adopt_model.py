from tamflux.job import job

with job(snakemake, "adopt a released model"):
    from tamflux.predictors.static import STATIC_FEATURES
    from tamflux.released import adopt_model

    adopt_model(
        snakemake.params.folder,
        snakemake.output.members,
        snakemake.output.calibration,
        snakemake.output.feature_space,
        snakemake.output.card,
        variables=snakemake.params.variables,
        static_features=[*STATIC_FEATURES, *snakemake.params.extra_statics],
    )
