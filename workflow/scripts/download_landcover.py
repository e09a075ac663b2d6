from tamflux.logs import job_log

with job_log(snakemake.log[0], "download the land cover"):
    from tamflux.download.earthdata import download_landcover

    download_landcover(snakemake.params.target, snakemake.output.manifest)
