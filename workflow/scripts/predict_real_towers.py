from tamflux.job import job

with job(snakemake, "predict the towers of the site table"):
    from tamflux.training.real_towers import predict_real_towers

    predict_real_towers(
        snakemake.input.samples,
        snakemake.input.sites,
        {
            -1 if name == "fold_all" else int(name.removeprefix("fold_")): paths
            for name, paths in snakemake.input.items()
            if name.startswith("fold_")
        },
        snakemake.output.predictions,
        threads=snakemake.threads,
    )
