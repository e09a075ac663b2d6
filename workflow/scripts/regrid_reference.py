from tamflux.job import job

with job(snakemake, "regrid a reference product"):
    from tamflux.evaluation.references import regrid_reference
    from tamflux.grid import Grid

    regrid_reference(
        snakemake.params.reference,
        snakemake.params.files,
        Grid.from_config(snakemake.params.grid),
        snakemake.output.months,
    )
