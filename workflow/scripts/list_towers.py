from tamflux.job import job

with job(snakemake, "list towers"):
    from tamflux.report.release import list_towers

    list_towers(
        snakemake.output.table,
        snakemake.params.model,
        members=snakemake.input.get("members", ()),
        sites=snakemake.input.get("sites"),
        towers=snakemake.input.get("towers"),
        demo=snakemake.params.demo,
    )
