from tamflux.job import job

with job(snakemake, f"read the site table ({snakemake.wildcards.table})"):
    from tamflux.extra_predictors import ExtraPredictor
    from tamflux.samples.site_table import convert_site_table

    convert_site_table(
        *snakemake.params.files,
        snakemake.output.samples,
        snakemake.output.sites,
        n_folds=snakemake.params.n_folds,
        predictors=snakemake.params.predictors,
        extra=[*map(ExtraPredictor.from_config, snakemake.params.extra or [])],
    )
