from tamflux.job import job

files, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
with job(snakemake, f"{wildcards.protocol}: {wildcards.model}, {wildcards.seed}"):
    from tamflux.baselines.fit import compare_model
    from tamflux.baselines.search import best_settings

    with_cells = "cells" in snakemake.output.keys()
    compare_model(
        files.samples,
        files.sites,
        files.folds,
        snakemake.output.predictions,
        name=wildcards.model,
        settings=params.sections or best_settings(files.settings),
        member=int(wildcards.seed),
        seed=params.seed,
        code=params.code,
        threads=snakemake.threads,
        cells=(files.cells, files.cells_sites, snakemake.output.cells) if with_cells else None,
        **params.used,
    )
