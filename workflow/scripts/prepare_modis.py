from tamflux.job import job

with job(snakemake, f"average MODIS {snakemake.wildcards.year}"):
    from tamflux.config import partial_year
    from tamflux.grid import Grid
    from tamflux.predictors.reflectance import prepare_modis

    grid, year = snakemake.params.grid, int(snakemake.wildcards.year)
    prepare_modis(
        paths=snakemake.params.files,
        product=snakemake.params.product,
        year=year,
        grid=Grid.from_config(grid),
        tile_size=grid["tile_size"],
        min_valid_fraction=snakemake.params.min_valid_fraction,
        variables=snakemake.params.variables,
        target=snakemake.output.cube,
        may_end_early=year == partial_year(snakemake.config["years"]),
    )
