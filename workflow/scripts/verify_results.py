from tamflux.logs import job_log

with job_log(snakemake.log[0], "verify results") as log:
    from tamflux.checksums import recorded_results, verify

    results = recorded_results("results")
    verify(results)
    log.info("%d results are as they were written", len(results))
