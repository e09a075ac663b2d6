from tamflux.job import job

with job(snakemake, "write the cells for ILAMB"):
    from tamflux.product.ilamb import write_cells

    write_cells(snakemake.input.monthly, snakemake.output.areacella, snakemake.output.sftlf)
