from tamflux.job import job

with job(snakemake, f"prepare {snakemake.wildcards.extra}"):
    from tamflux.extra_predictors import ExtraPredictor
    from tamflux.grid import Grid
    from tamflux.predictors.extra import prepare_static_extra

    prepare_static_extra(
        ExtraPredictor.from_config(snakemake.params.extra),
        path=snakemake.params.files[0],
        grid=Grid.from_config(snakemake.params.grid),
        target=snakemake.output.static,
    )
