from tamflux.job import job

with job(snakemake, f"regrid ERA5 {snakemake.wildcards.year}"):
    from tamflux.config import partial_year
    from tamflux.grid import Grid
    from tamflux.predictors.era5_cube import prepare_era5
    from tamflux.readers.cds_files import files_of_last_hour

    config, grid = snakemake.config, snakemake.params.grid
    year = int(snakemake.wildcards.year)
    prepare_era5(
        paths=[*snakemake.params.files, *files_of_last_hour(config["inputs"]["era5"], year)],
        dataset_type=snakemake.params.kind,
        year=year,
        grid=Grid.from_config(grid),
        tile_size=grid["tile_size"],
        variables=snakemake.params.variables,
        target=snakemake.output.cube,
        may_end_early=year == partial_year(config["years"]),
        allow_gaps=snakemake.params.allow_gaps,
    )
