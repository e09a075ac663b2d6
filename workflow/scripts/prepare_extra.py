from tamflux.job import job

with job(snakemake, f"prepare {snakemake.wildcards.extra} {snakemake.wildcards.year}"):
    from tamflux.config import partial_year
    from tamflux.extra_predictors import ExtraPredictor
    from tamflux.grid import Grid
    from tamflux.predictors.extra import prepare_extra

    grid, year = snakemake.params.grid, int(snakemake.wildcards.year)
    prepare_extra(
        ExtraPredictor.from_config(snakemake.params.extra),
        paths=snakemake.params.files,
        year=year,
        grid=Grid.from_config(grid),
        tile_size=grid["tile_size"],
        target=snakemake.output.cube,
        may_end_early=year == partial_year(snakemake.config["years"]),
    )
