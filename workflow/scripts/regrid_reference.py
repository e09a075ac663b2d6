from tamflux.job import job

with job(snakemake, "regrid a reference product"):
    from tamflux.grid import Grid
    from tamflux.validation.references import regrid_reference

    regrid_reference(
        snakemake.params.reference,
        snakemake.params.files,
        Grid(snakemake.params.resolution, tuple(snakemake.params.bbox)),
        snakemake.output.months,
    )
