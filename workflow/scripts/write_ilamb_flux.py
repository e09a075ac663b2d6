from tamflux.job import job

with job(snakemake, f"write {snakemake.wildcards.flux} for ILAMB"):
    from tamflux.product.ilamb import write_flux

    write_flux(snakemake.input.monthly, snakemake.wildcards.flux, snakemake.output.flux)
