from tamflux.logs import job_log

with job_log(snakemake.log[0], "write the cells for ILAMB"):
    from tamflux.product.ilamb import write_cells

    write_cells(snakemake.input.monthly, snakemake.output.areacella, snakemake.output.sftlf)
