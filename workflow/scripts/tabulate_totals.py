from tamflux.job import job

with job(snakemake, "tabulate totals"):
    from tamflux.product.totals import tabulate_totals

    tabulate_totals(snakemake.input.annual, snakemake.output.totals)
