from tamflux.job import job

with job(snakemake, "evaluate the intervals"):
    from tamflux.evaluation.intervals import evaluate_intervals
    from tamflux.grid import Grid

    years, truth = snakemake.params.years, snakemake.input.get("truth") or []
    evaluate_intervals(
        snakemake.input.predictions,
        snakemake.input.sites,
        snakemake.input.calibration,
        snakemake.input.static,
        dict(zip(years, snakemake.input.tiles, strict=True)),
        dict(zip(years, truth, strict=True)) if truth else {},
        Grid.from_config(snakemake.params.grid),
        snakemake.params.grid["tile_size"],
        snakemake.output.coverage,
        snakemake.output.ranking,
        snakemake.output.cells,
        snakemake.input.get("without_fold") or [],
    )
