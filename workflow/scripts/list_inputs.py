from tamflux.job import job

with job(snakemake, f"list inputs {snakemake.wildcards.year}"):
    from tamflux.product.inputs import list_inputs

    list_inputs(snakemake.input.tables, snakemake.output.table)
