from tamflux.logs import job_log

with job_log(snakemake.log[0], f"write {snakemake.wildcards.flux} for ILAMB"):
    from tamflux.product.ilamb import write_flux

    write_flux(snakemake.input.monthly, snakemake.wildcards.flux, snakemake.output.flux)
