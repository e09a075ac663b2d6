from tamflux.logs import job_log

role, year = snakemake.wildcards.role, int(snakemake.wildcards.year)
with job_log(snakemake.log[0], f"download ERA5 {role} {year}"):
    from tamflux.download.cds import download_era5

    download_era5(snakemake.params.config, role, year, snakemake.output.manifest)
