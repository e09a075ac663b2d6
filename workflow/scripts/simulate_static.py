from tamflux.job import job

with job(snakemake, "write static maps"):
    from tamflux.demo_earth.raw_modis import write_koppen, write_landcover

    write_landcover(snakemake.output.landcover)
    write_koppen(snakemake.output.koppen)
