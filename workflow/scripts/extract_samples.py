from tamflux.job import job

with job(snakemake, f"extract samples {snakemake.wildcards.year}"):
    from tamflux.samples.extract import extract_samples

    extract_samples(
        snakemake.input.cube,
        snakemake.input.sites,
        snakemake.input.fluxes,
        snakemake.output.samples,
        local_weather=snakemake.input.local_weather or None,
    )
