from tamflux.job import job

with job(snakemake, f"release {snakemake.params.name}"):
    from tamflux.report.release import release_model

    release_model(
        snakemake.input.members,
        snakemake.input.calibration,
        snakemake.input.feature_space,
        snakemake.input.sites,
        snakemake.input.scores,
        snakemake.output.folder,
        name=snakemake.params.name,
        network=snakemake.params.network,
        demo=snakemake.params.demo,
        towers=snakemake.input.get("towers"),
        correction=snakemake.input.get("correction"),
    )
