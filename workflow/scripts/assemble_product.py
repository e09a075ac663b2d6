from tamflux.job import job

with job(snakemake, f"assemble product {snakemake.wildcards.year}"):
    from tamflux.product.assemble import assemble_product

    assemble_product(
        snakemake.input.tiles,
        snakemake.input.static,
        snakemake.input.calibration,
        snakemake.output.daily,
        inputs=snakemake.input.inputs,
        config=snakemake.params.config,
        threads=snakemake.threads,
    )
