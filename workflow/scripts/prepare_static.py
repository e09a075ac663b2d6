from tamflux.job import job

with job(snakemake, "prepare the land surface"):
    from tamflux.grid import Grid
    from tamflux.predictors.land_surface import prepare_static

    landcover, koppen, elevation = snakemake.params.files
    prepare_static(
        landcover=landcover,
        koppen=koppen,
        elevation=elevation,
        grid=Grid.from_config(snakemake.params.grid),
        target=snakemake.output.static,
        extra=snakemake.input.extra,
    )
