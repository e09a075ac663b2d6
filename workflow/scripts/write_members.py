from tamflux.job import job

with job(snakemake, f"write members {snakemake.wildcards.year}"):
    from tamflux.product.members import write_members

    write_members(snakemake.input.monthly, snakemake.input.tiles, snakemake.output.members)
