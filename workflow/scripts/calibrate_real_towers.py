from tamflux.job import job

with job(snakemake, "calibrate the intervals at the towers"):
    from tamflux.uncertainty.real_towers import calibrate_real_towers

    calibrate_real_towers(
        snakemake.input.fluxes,
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.output.predictions,
        {
            -1 if name == "fold_all" else int(name.removeprefix("fold_")): path
            for name, path in snakemake.output.items()
            if name.startswith("fold_")
        },
        **snakemake.params.protocol,
        code=snakemake.params.code,
    )
