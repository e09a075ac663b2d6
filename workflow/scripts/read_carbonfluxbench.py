from tamflux.logs import job_log

with job_log(snakemake.log[0], "read CarbonFluxBench"):
    from tamflux.samples.carbonfluxbench import write_carbonfluxbench

    write_carbonfluxbench(snakemake.params.folder, snakemake.output.samples, snakemake.output.sites)
