from tamflux.job import job

with job(snakemake, f"simulate truth {snakemake.wildcards.year}"):
    from tamflux.grid import Grid
    from tamflux.sources.demo_earth.truth import simulate_truth

    grid = snakemake.params.grid
    simulate_truth(
        snakemake.params.seed,
        int(snakemake.wildcards.year),
        Grid(grid["resolution"], tuple(grid["bbox"])),
        snakemake.output.store,
    )
