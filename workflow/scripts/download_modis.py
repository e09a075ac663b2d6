from tamflux.logs import job_log

year = int(snakemake.wildcards.year)
with job_log(snakemake.log[0], f"download MODIS {year}"):
    from tamflux.download.earthdata import download_modis

    params = snakemake.params
    download_modis(params.product, year, params.folder, snakemake.output.manifest)
