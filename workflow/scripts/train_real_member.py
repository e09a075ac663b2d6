from tamflux.job import job

fold, member = snakemake.wildcards.fold, snakemake.wildcards.member
with job(snakemake, f"train member {member} without fold {fold}"):
    from tamflux.training.real_towers import train_real_member

    train_real_member(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.output.checkpoint,
        snakemake.output.curve,
        fold=None if fold == "all" else int(fold),
        member=int(member),
        seed=snakemake.params.seed,
        monthly=snakemake.params.monthly,
        model=snakemake.params.model,
        training=snakemake.params.training,
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
