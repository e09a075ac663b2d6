from tamflux.job import job

with job(snakemake, "draw cells between the towers"):
    from tamflux.grid import Grid
    from tamflux.samples.cells import draw_cells

    draw_cells(
        snakemake.input.static,
        Grid.from_config(snakemake.params.grid),
        snakemake.output.cells,
        cells=snakemake.params.cells,
        seed=snakemake.params.seed,
    )
