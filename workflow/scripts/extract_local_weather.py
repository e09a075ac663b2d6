from tamflux.job import job

with job(snakemake, f"extract local weather {snakemake.wildcards.year}"):
    from tamflux.grid import Grid
    from tamflux.samples.local_weather import extract_local_weather

    extract_local_weather(
        snakemake.params.files,
        snakemake.params.kind,
        int(snakemake.wildcards.year),
        Grid.from_config(snakemake.params.grid),
        snakemake.params.variables,
        snakemake.input.sites,
        snakemake.output.weather,
        may_end_early=snakemake.params.may_end_early,
    )
