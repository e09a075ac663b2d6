from tamflux.job import job

with job(snakemake, "evaluate the intervals at the towers"):
    from tamflux.evaluation.real_towers_intervals import evaluate_real_intervals

    evaluate_real_intervals(
        snakemake.input.predictions,
        snakemake.input.samples,
        snakemake.input.sites,
        {
            -1 if name == "fold_all" else int(name.removeprefix("fold_")): path
            for name, path in snakemake.input.items()
            if name.startswith("fold_")
        },
        snakemake.output.intervals,
        **snakemake.params.protocol,
    )
