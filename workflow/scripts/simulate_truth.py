from tamflux.logs import job_log

with job_log(snakemake.log[0], f"simulate truth {snakemake.wildcards.year}"):
    from tamflux.grid import Grid
    from tamflux.sources.demo_earth.truth import simulate_truth

    grid = snakemake.params.grid
    simulate_truth(
        snakemake.params.seed,
        int(snakemake.wildcards.year),
        Grid(grid["resolution"], tuple(grid["bbox"])),
        snakemake.output.store,
    )
