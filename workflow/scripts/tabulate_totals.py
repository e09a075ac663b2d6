from tamflux.job import job

with job(snakemake, "tabulate totals"):
    from tamflux.product.totals import tabulate_totals

    tabulate_totals(
        snakemake.input.annual,
        snakemake.input.monthly,
        snakemake.input.tiles,
        snakemake.input.calibration,
        snakemake.output.totals,
        snakemake.output.monthly,
        polygons=snakemake.input.get("polygons") or None,
    )
