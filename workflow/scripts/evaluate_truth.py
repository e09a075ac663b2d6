from tamflux.job import job

with job(snakemake, "compare with the truth"):
    from tamflux.evaluation.truth import evaluate_truth
    from tamflux.grid import Grid

    years = snakemake.params.years
    evaluate_truth(
        dict(zip(years, snakemake.input.truth, strict=True)),
        {
            model: dict(zip(years, snakemake.input[model], strict=True))
            for model in ("tamrl", "lstm")
        },
        snakemake.input.predictions,
        snakemake.input.sites,
        snakemake.input.static,
        Grid.from_config(snakemake.params.grid),
        snakemake.params.grid["tile_size"],
        snakemake.output.scores,
        snakemake.output.maps,
    )
