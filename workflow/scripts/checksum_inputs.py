from tamflux.job import job

with job(snakemake, f"checksum {snakemake.params.source}"):
    from tamflux.product.inputs import checksum_inputs

    checksum_inputs(
        snakemake.params.files,
        snakemake.params.source,
        snakemake.output.table,
        threads=snakemake.threads,
    )
