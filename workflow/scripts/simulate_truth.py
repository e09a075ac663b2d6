from tamflux.job import job

with job(snakemake, f"simulate truth {snakemake.wildcards.year}"):
    from tamflux.demo_earth.true_fluxes import simulate_truth
    from tamflux.grid import Grid

    grid = snakemake.params.grid
    simulate_truth(
        snakemake.params.seed,
        int(snakemake.wildcards.year),
        Grid.from_config(grid),
        snakemake.output.store,
    )
