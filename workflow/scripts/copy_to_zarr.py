from tamflux.logs import job_log

with job_log(snakemake.log[0], f"copy {snakemake.wildcards.year} to Zarr"):
    from tamflux.product.zarr_copy import copy_to_zarr

    copy_to_zarr(snakemake.input.daily, snakemake.output.store)
