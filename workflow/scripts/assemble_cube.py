from tamflux.logs import job_log

with job_log(snakemake.log[0], f"assemble the predictors of {snakemake.wildcards.year}"):
    from tamflux.predictors.union import assemble_cube

    assemble_cube(
        parts=[snakemake.input.era5, snakemake.input.modis],
        target=snakemake.output.cube,
        variables=snakemake.params.variables,
    )
