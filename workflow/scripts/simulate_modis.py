from tamflux.job import job

with job(snakemake, f"simulate MODIS {snakemake.wildcards.year}"):
    from tamflux.demo_earth.layout import demo_modis_files
    from tamflux.demo_earth.raw_modis import simulate_modis

    year = int(snakemake.wildcards.year)
    params = snakemake.params
    targets = demo_modis_files(year, params.composite_days)
    simulate_modis(params.seed, year, params.resolution, params.cmg_pixels, targets)
