from tamflux.job import job

with job(snakemake, f"extract local weather {snakemake.wildcards.year}"):
    from tamflux.config import partial_year
    from tamflux.grid import Grid
    from tamflux.readers.cds_files import files_of_last_hour
    from tamflux.samples.local_weather import extract_local_weather

    config, year = snakemake.config, int(snakemake.wildcards.year)
    extract_local_weather(
        [*snakemake.params.files, *files_of_last_hour(config["inputs"]["era5"], year)],
        snakemake.params.kind,
        year,
        Grid.from_config(snakemake.params.grid),
        snakemake.params.variables,
        snakemake.input.sites,
        snakemake.output.weather,
        may_end_early=year == partial_year(config["years"]),
        allow_gaps=snakemake.params.allow_gaps,
    )
