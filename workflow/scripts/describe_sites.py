from tamflux.job import job

with job(snakemake, "describe sites"):
    from tamflux.samples.extract import describe_sites

    describe_sites(
        snakemake.input.towers,
        snakemake.input.static,
        snakemake.output.sites,
        snakemake.output.dropped,
        seed=snakemake.params.seed,
    )
