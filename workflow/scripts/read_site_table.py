from tamflux.logs import job_log

with job_log(snakemake.log[0], f"read the site table ({snakemake.wildcards.table})"):
    from tamflux.samples.site_table import read_site_table

    read_site_table(
        *snakemake.input,
        snakemake.output.samples,
        snakemake.output.sites,
        n_folds=snakemake.params.n_folds,
    )
