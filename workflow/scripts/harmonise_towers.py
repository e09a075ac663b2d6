from tamflux.job import job

with job(snakemake, "harmonise towers"):
    from tamflux.towers.harmonise import harmonise_towers

    harmonise_towers(
        snakemake.input.towers,
        snakemake.output.fluxes,
        snakemake.output.sites,
        snakemake.output.rejected,
        site_table=snakemake.input.site_table or None,
        min_coverage=snakemake.params.limits["min_coverage"],
        min_days=snakemake.params.limits["min_days"],
        max_abs_flux=snakemake.params.limits["max_abs_flux"],
    )
