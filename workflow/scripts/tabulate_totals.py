from tamflux.logs import job_log

with job_log(snakemake.log[0], "tabulate totals"):
    from tamflux.product.totals import tabulate_totals

    tabulate_totals(snakemake.input.annual, snakemake.output.totals)
