from tamflux.job import job

with job(snakemake, "write model card"):
    from tamflux.report.model_card import write_model_card

    write_model_card(
        snakemake.input.checkpoints,
        snakemake.input.sites,
        snakemake.input.scores,
        snakemake.input.site_scores,
        snakemake.input.calibration,
        snakemake.output.card,
        years=snakemake.params.years,
        demo=snakemake.params.demo,
    )
