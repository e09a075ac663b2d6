from tamflux.logs import job_log

with job_log(snakemake.log[0], "simulate towers"):
    from tamflux.sources.demo_earth.raw_towers import simulate_towers

    params = snakemake.params
    simulate_towers(params.seed, params.towers, list(params.years))
