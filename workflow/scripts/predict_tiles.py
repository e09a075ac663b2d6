from tamflux.job import job

if __name__ == "__main__":  # its worker processes import this file
    with job(snakemake, f"predict {snakemake.wildcards.model} {snakemake.wildcards.year}"):
        from tamflux.inference.predict import predict_tiles

        predict_tiles(
            snakemake.input.cube,
            snakemake.input.lookback,
            snakemake.input.static,
            snakemake.input.checkpoints,
            snakemake.input.feature_space,
            snakemake.output.tiles,
            workers=snakemake.threads,
            # not params: the result does not depend on them
            **{k: v for k, v in snakemake.config["inference"].items() if k != "model"},
        )
