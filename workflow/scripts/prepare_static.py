from tamflux.job import job

with job(snakemake, "prepare the land surface"):
    from tamflux.grid import Grid
    from tamflux.predictors.land_surface import prepare_static

    grid = snakemake.params.grid
    prepare_static(
        landcover=snakemake.input.landcover,
        koppen=snakemake.input.koppen,
        elevation=snakemake.input.elevation or None,
        grid=Grid.from_config(grid),
        target=snakemake.output.static,
    )
