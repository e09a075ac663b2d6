from tamflux.job import job

with job(snakemake, "harmonise towers"):
    from tamflux.grid import Grid
    from tamflux.towers.harmonise import harmonise_towers

    harmonise_towers(
        snakemake.params.files,
        snakemake.output.fluxes,
        snakemake.output.sites,
        snakemake.output.rejected,
        site_table=snakemake.params.site_table,
        grid=Grid.from_config(snakemake.params.grid),
        **snakemake.params.limits,
    )
