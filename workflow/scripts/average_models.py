from tamflux.job import job

files, wildcards, models = snakemake.input, snakemake.wildcards, snakemake.params.models
with job(snakemake, f"average LSTM and trees, {wildcards.seed}"):
    from tamflux.baselines.average import average_predictions

    average_predictions(
        files.network,
        {model: files[model] for model in models},
        dict(zip(models, files.settings, strict=True)),
        snakemake.output.predictions,
    )
