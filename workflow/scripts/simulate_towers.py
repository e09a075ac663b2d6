from tamflux.job import job

with job(snakemake, "simulate towers"):
    from tamflux.demo_earth.raw_towers import simulate_towers

    params = snakemake.params
    simulate_towers(params.seed, params.towers, list(params.years))
