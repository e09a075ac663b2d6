from tamflux.job import job

with job(snakemake, f"checksum {snakemake.params.source}"):
    from tamflux.product.inputs import checksum_inputs
    from tamflux.readers.cds_files import files_of_last_hour

    files, (kind, _, year) = snakemake.params.files, snakemake.params.source.partition("_")
    if kind == "era5":
        files = [*files, *files_of_last_hour(snakemake.config["inputs"]["era5"], int(year))]
    checksum_inputs(
        files,
        snakemake.params.source,
        snakemake.output.table,
        threads=snakemake.threads,
    )
