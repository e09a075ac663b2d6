from tamflux.job import job

with job(snakemake, "write sites"):
    from tamflux.product.browse import write_sites

    write_sites("results", snakemake.params.points, snakemake.output.folder)
