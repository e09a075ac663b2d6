from tamflux.job import job

with job(snakemake, "describe sites"):
    from tamflux.samples.extract import write_sample_sites

    write_sample_sites(
        snakemake.input.towers,
        snakemake.input.static,
        snakemake.output.sites,
        snakemake.output.dropped,
        seed=snakemake.params.seed,
        cubes=snakemake.input.cubes,
    )
