from tamflux.logs import job_log

with job_log(snakemake.log[0], f"list inputs {snakemake.wildcards.year}"):
    from tamflux.product.inputs import list_inputs

    list_inputs(snakemake.input.tables, snakemake.output.table)
