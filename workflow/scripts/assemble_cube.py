from tamflux.job import job

with job(snakemake, f"assemble the predictors of {snakemake.wildcards.year}"):
    from tamflux.predictors.merge import assemble_cube

    assemble_cube(
        parts=[snakemake.input.era5, snakemake.input.modis, *snakemake.input.extra],
        target=snakemake.output.cube,
        variables=snakemake.params.variables,
    )
