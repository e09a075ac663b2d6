from tamflux.job import job

with job(snakemake, f"choose the settings of {snakemake.wildcards.model}"):
    from tamflux.baselines.search import search_settings

    search_settings(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.folds,
        snakemake.output.settings,
        name=snakemake.wildcards.model,
        seed=snakemake.params.seed,
        sections=snakemake.params.sections,
        threads=snakemake.threads,
        **snakemake.params.used,
    )
