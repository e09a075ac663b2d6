from tamflux.logs import job_log

fold, member = snakemake.wildcards.fold, snakemake.wildcards.member
with job_log(snakemake.log[0], f"train member {member} without fold {fold}"):
    from tamflux.training.real_towers import train_real_member

    train_real_member(
        snakemake.input.samples,
        snakemake.input.sites,
        snakemake.output.checkpoint,
        snakemake.output.curve,
        fold=None if fold == "all" else int(fold),
        member=int(member),
        seed=snakemake.params.seed,
        model=snakemake.params.model,
        training=snakemake.params.training,
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
