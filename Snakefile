"""TAMFlux: from raw ERA5, MODIS and tower files to a global product of GPP, RECO and NEE.

snakemake --cores 2               the whole chain
snakemake --cores 1 check         look at the configuration and every input file, compute nothing
snakemake --cores 2 ilamb zarr    copies of the product for ILAMB and as Zarr
snakemake --cores 2 download      fetch ERA5 and MODIS into the folders of `inputs` (docs/tutorial.md)
snakemake --cores 1 verify        compare every result with its checksums; set damaged ones aside
snakemake --cores 1 compare_versions --config previous_results=FOLDER   against another version
snakemake --cores 2 compare_models     TAM-RL against the baselines
snakemake --cores 2 real_towers --configfile workflow/config/fluxnet2015.yaml
"""

from pathlib import Path

from snakemake.utils import min_version, validate

from tamflux.config import refuse_old_names

min_version("9.20")


configfile: Path(workflow.basedir, "config.yaml")


refuse_old_names(config)
validate(config, "workflow/schemas/config.schema.yaml")


wildcard_constraints:
    year=r"\d{4}",
    model="tamrl|lstm",
    member=r"\d+",
    seed=r"\d+",
    table="folds|zero_shot",
    fold=r"\d+|all",
    protocol="|".join(config["comparison"]["protocols"]),
    reference=r"[A-Za-z0-9][A-Za-z0-9._-]*",


localrules:
    all,
    check,
    verify,
    ilamb,
    zarr,


rule all:
    default_target: True
    input:
        expand(
            "results/product/tamflux_{step}_{year}.nc",
            step=["daily", "monthly", "annual"],
            year=config["years"]["product"],
        ),
        expand(
            "results/product/tamflux_members_{year}.nc",
            year=config["years"]["product"] if config["product"]["members"] else [],
        ),
        "results/product/towers.csv",
        "results/product/sites" if config["product"]["sites"] else [],
        expand("results/product/tests_{year}.txt", year=config["years"]["product"]),
        [] if config["inference"]["model"] else "results/models/responses.txt",
        "results/models/model_card.md",
        "results/report.html",


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/site_tables.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/demo_earth.smk"
include: "workflow/rules/extra_predictors.smk"
include: "workflow/rules/predictors.smk"
include: "workflow/rules/towers.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/released.smk"


if not RELEASED:

    include: "workflow/rules/training.smk"
    include: "workflow/rules/uncertainty.smk"


include: "workflow/rules/inference.smk"
include: "workflow/rules/product.smk"
include: "workflow/rules/totals.smk"
include: "workflow/rules/product_sites.smk"
include: "workflow/rules/versions.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/adaptation.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/real_towers.smk"
include: "workflow/rules/trials.smk"
include: "workflow/rules/comparison.smk"


# One environment for all: what runs the workflow is what its rules need. A failed job runs again.
for each in workflow.rules:
    if each.script:
        each.conda_env = str(Path(workflow.basedir, "envs/tamflux.yaml"))
        each.set_params(failures=failures_of(each))
