from tamflux.logs import job_log

with job_log(snakemake.log[0], "prepare the land surface"):
    from tamflux.grid import Grid
    from tamflux.predictors.land_surface import prepare_static

    grid = snakemake.params.grid
    prepare_static(
        landcover=snakemake.input.landcover,
        koppen=snakemake.input.koppen,
        elevation=snakemake.input.elevation or None,
        grid=Grid(grid["resolution"], tuple(grid["bbox"])),
        target=snakemake.output.static,
    )
