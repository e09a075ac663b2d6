from tamflux.logs import job_log

with job_log(snakemake.log[0], f"aggregate product {snakemake.wildcards.year}"):
    from tamflux.product.aggregate import aggregate_product

    aggregate_product(snakemake.input.daily, snakemake.output.monthly, snakemake.output.annual)
