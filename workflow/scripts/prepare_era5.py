from tamflux.job import job

with job(snakemake, f"regrid ERA5 {snakemake.wildcards.year}"):
    from tamflux.grid import Grid
    from tamflux.predictors.era5_cube import prepare_era5

    grid = snakemake.params.grid
    prepare_era5(
        paths=snakemake.params.files,
        dataset_type=snakemake.params.kind,
        year=int(snakemake.wildcards.year),
        grid=Grid.from_config(grid),
        tile_size=grid["tile_size"],
        variables=snakemake.params.variables,
        target=snakemake.output.cube,
        may_end_early=snakemake.params.may_end_early,
        allow_gaps=snakemake.params.allow_gaps,
    )
