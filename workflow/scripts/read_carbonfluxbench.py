from tamflux.job import job

with job(snakemake, "read CarbonFluxBench"):
    from tamflux.samples.benchmark import write_carbonfluxbench

    write_carbonfluxbench(snakemake.params.folder, snakemake.output.samples, snakemake.output.sites)
