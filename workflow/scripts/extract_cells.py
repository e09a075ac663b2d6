from tamflux.job import job

with job(snakemake, f"read the drawn cells of {snakemake.wildcards.year}"):
    from tamflux.samples.cells import extract_cells

    extract_cells(
        snakemake.input.cube,
        snakemake.input.get("truth"),
        snakemake.input.cells,
        snakemake.output.samples,
    )
