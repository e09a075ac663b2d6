from tamflux.logs import job_log

with job_log(snakemake.log[0], "score the compared models between the towers"):
    from tamflux.validation.comparison import score_cells

    score_cells(
        snakemake.input.predictions,
        snakemake.input.samples,
        snakemake.input.cells,
        snakemake.output.scores,
    )
