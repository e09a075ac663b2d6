# Predictors that users add: `predictors.extra`.
from tamflux.extra_predictors import extra_predictors, files_of_year

EXTRA = {each.name: each for each in extra_predictors(config)}
EXTRA_ENTRIES = {
    entry["name"]: entry for entry in config["predictors"].get("extra") or []
}
DYNAMIC = [name for name, each in EXTRA.items() if not each.is_static]
STATIC = [name for name, each in EXTRA.items() if each.is_static]


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
