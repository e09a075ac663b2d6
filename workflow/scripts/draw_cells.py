from tamflux.logs import job_log

with job_log(snakemake.log[0], "draw cells between the towers"):
    from tamflux.grid import Grid
    from tamflux.samples.cells import draw_cells

    draw_cells(
        snakemake.input.static,
        Grid(snakemake.params.resolution, tuple(snakemake.params.bbox)),
        snakemake.output.cells,
        cells=snakemake.params.cells,
        seed=snakemake.params.seed,
    )
