# Predictors that users add: `predictors.extra`.
from tamflux.extra_predictors import extra_predictors, files_of_year

EXTRA = {each.name: each for each in extra_predictors(config)}
EXTRA_ENTRIES = {
    entry["name"]: entry for entry in config["predictors"].get("extra") or []
}
DYNAMIC = [name for name, each in EXTRA.items() if not each.is_static]
STATIC = [name for name, each in EXTRA.items() if each.is_static]


def extra_files(wc):
    """Files of an extra predictor: the static one, or those that a year is filled from."""
    extra = EXTRA[wc.extra]
    if extra.path is None:
        stop(
            "an extra predictor has no path",
            variable=f"predictors.extra: {extra.name}",
            fix="name its files under `path`: a cube needs them",
        )
    if not extra.is_static:
        patterns = files_of_year(extra.path, int(wc.year), YEARS)
        return sorted({file for path in patterns for file in raw_files(path)})
    if len(files := raw_files(extra.path)) > 1:
        stop(
            f"several files match the path of the static predictor {extra.name}",
            file=extra.path,
            found=", ".join(files),
            fix="name one of them",
        )
    return files


rule prepare_extra:
    output:
        cube=directory("results/predictors/extra/{extra}_{year}.zarr"),
    log:
        "results/logs/predictors/prepare_extra_{extra}_{year}.log",
    benchmark:
        "results/benchmarks/predictors/prepare_extra_{extra}_{year}.tsv"
    wildcard_constraints:
        extra="|".join(DYNAMIC) or "none",
    resources:
        mem_mb=2500,
    params:
        files=extra_files,
        state=state_of(extra_files),
        extra=lambda wc: EXTRA_ENTRIES[wc.extra],
        grid=config["grid"],
        code=code_of("prepare_extra"),
    message:
        "regridding and gap-filling {wildcards.extra} of {wildcards.year}"
    script:
        "../scripts/prepare_extra.py"


rule prepare_static_extra:
    output:
        static="results/predictors/extra/{extra}.nc",
    log:
        "results/logs/predictors/prepare_static_extra_{extra}.log",
    benchmark:
        "results/benchmarks/predictors/prepare_static_extra_{extra}.tsv"
    wildcard_constraints:
        extra="|".join(STATIC) or "none",
    resources:
        mem_mb=2500,
    params:
        files=extra_files,
        state=state_of(extra_files),
        extra=lambda wc: EXTRA_ENTRIES[wc.extra],
        grid=GRID,
        code=code_of("prepare_static_extra"),
    message:
        "averaging {wildcards.extra} to the grid"
    script:
        "../scripts/prepare_static_extra.py"
