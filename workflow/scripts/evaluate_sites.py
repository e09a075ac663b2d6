from tamflux.job import job

with job(snakemake, "predict at the towers"):
    from tamflux.evaluation.sites import evaluate_sites

    evaluate_sites(
        dict(zip(snakemake.params.years, snakemake.input.samples, strict=True)),
        snakemake.input.sites,
        snakemake.input.static,
        {"tamrl": snakemake.input.tamrl, "lstm": snakemake.input.lstm},
        snakemake.output.predictions,
        train_years=snakemake.params.train_years,
        product_years=snakemake.params.product_years,
        split=snakemake.params.split,
        threads=snakemake.threads,
        folds={model: snakemake.input.get(f"{model}_folds") or [] for model in ("tamrl", "lstm")},
    )
