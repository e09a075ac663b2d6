from tamflux.job import job

with job(snakemake, "score the compared models between the towers"):
    from tamflux.evaluation.comparison import score_cell_predictions

    score_cell_predictions(
        snakemake.input.predictions,
        snakemake.input.samples,
        snakemake.input.cells,
        snakemake.output.scores,
    )
