from tamflux.logs import job_log

with job_log(snakemake.log[0], "predict the towers of the site table"):
    from tamflux.training.real_towers import predict_real_towers

    predict_real_towers(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.input.checkpoints,
        snakemake.output.predictions,
        threads=snakemake.threads,
    )
