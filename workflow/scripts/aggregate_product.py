from tamflux.job import job

with job(snakemake, f"aggregate product {snakemake.wildcards.year}"):
    from tamflux.product.aggregate import aggregate_product

    aggregate_product(
        snakemake.input.daily,
        snakemake.output.monthly,
        snakemake.output.annual,
        static=snakemake.input.static,
        calibration=snakemake.input.calibration,
    )
