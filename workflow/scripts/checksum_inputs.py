from tamflux.logs import job_log

with job_log(snakemake.log[0], f"checksum {snakemake.params.source}"):
    from tamflux.product.inputs import checksum_inputs

    checksum_inputs(
        snakemake.input.files,
        snakemake.params.source,
        snakemake.output.table,
        threads=snakemake.threads,
    )
