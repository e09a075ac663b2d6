from tamflux.logs import job_log

with job_log(snakemake.log[0], "describe sites"):
    from tamflux.samples.extract import describe_sites

    describe_sites(
        snakemake.input.towers,
        snakemake.input.static,
        snakemake.output.sites,
        snakemake.output.dropped,
        seed=snakemake.params.seed,
    )
