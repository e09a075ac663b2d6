from tamflux.job import job

with job(snakemake, "compare versions"):
    from tamflux.figures.version_figures import plot_version_differences
    from tamflux.product.versions import compare_versions

    out = snakemake.output
    compare_versions(snakemake.params.old, "results", out.maps, out.totals, out.provenance)
    plot_version_differences(out.maps, out.figure)
