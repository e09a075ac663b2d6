from tamflux.job import job

model, member = snakemake.wildcards.model, int(snakemake.wildcards.member)
with job(snakemake, f"train {model}, member {member}"):
    from tamflux.training.members import train_member

    train_member(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.output.checkpoint,
        snakemake.output.curve,
        name=model,
        member=member,
        seed=snakemake.params.seed,
        train_years=snakemake.params.years,
        split=snakemake.params.split,
        predictors=snakemake.params.predictors,
        model=snakemake.params.model,
        training=snakemake.params.training,
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
