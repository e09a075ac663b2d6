from tamflux.job import job

with job(snakemake, f"draw the folds of {snakemake.wildcards.protocol}"):
    import pandas as pd

    from tamflux.files import atomic_path
    from tamflux.samples.protocols import protocol_folds

    sites = pd.read_csv(snakemake.input.sites, keep_default_na=False, na_values=[""])
    folds = protocol_folds(sites, snakemake.wildcards.protocol, snakemake.params.seed)
    with atomic_path(snakemake.output.folds) as path:
        folds.to_csv(path, index=False)
