from tamflux.job import job

with job(snakemake, "adapt the model to each held-out tower"):
    from tamflux.adaptation.series import adapt_held_out

    adapt_held_out(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.predictions,
        snakemake.input.folds,
        snakemake.output.series,
        split=snakemake.params.split,
    )
