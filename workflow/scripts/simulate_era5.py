from tamflux.job import job

with job(snakemake, f"simulate ERA5 {snakemake.wildcards.year}"):
    from tamflux.demo_earth.layout import demo_era5_files
    from tamflux.demo_earth.raw_era5 import simulate_era5

    year = int(snakemake.wildcards.year)
    params = snakemake.params
    simulate_era5(params.seed, year, params.resolution, demo_era5_files(year))
