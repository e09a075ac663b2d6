from tamflux.job import job

with job(snakemake, f"copy {snakemake.wildcards.year} to Zarr"):
    from tamflux.product.zarr_copy import copy_to_zarr

    copy_to_zarr(snakemake.input.daily, snakemake.output.store)
