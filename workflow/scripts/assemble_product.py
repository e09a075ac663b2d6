from tamflux.logs import job_log

with job_log(snakemake.log[0], f"assemble product {snakemake.wildcards.year}"):
    from tamflux.product.assemble import assemble_product

    assemble_product(
        snakemake.input.tiles,
        snakemake.input.static,
        snakemake.input.calibration,
        snakemake.output.daily,
        inputs=snakemake.input.inputs,
        config=snakemake.params.config,
    )
