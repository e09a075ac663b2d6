from tamflux.download.targets import MANIFESTS, manifests, missing_files, modis_folder

# What few servers give to all: two requests at once, also with --cores 64.
workflow.global_resources.setdefault("downloads", 2)


rule download:
    input:
        lambda wc: manifests(config),
    message:
        f"ERA5, MODIS and land cover are there; sizes and checksums: {MANIFESTS}"


rule download_era5:
    output:
        manifest=f"{MANIFESTS}/era5/{{role}}_{{year}}.csv",
    log:
        "results/logs/download/era5/{role}_{year}.log",
    wildcard_constraints:
        role="[a-z0-9]+(_min|_max)?",
    resources:
        downloads=1,
    params:
        config={
            "inputs": {"era5": config["inputs"]["era5"]},
            "grid": {key: config["grid"][key] for key in ("resolution", "bbox")},
            "years": config["years"],
        },
        vanished=lambda wc: missing_files(f"{MANIFESTS}/era5/{wc.role}_{wc.year}.csv"),
    message:
        "downloading ERA5 {wildcards.role} of {wildcards.year}"
    script:
        "../scripts/download_era5.py"


rule download_modis:
    output:
        manifest=f"{MANIFESTS}/modis/{{year}}.csv",
    log:
        "results/logs/download/modis/{year}.log",
    resources:
        downloads=1,
    params:
        product=config["inputs"]["modis"]["product"],
        folder=lambda wc: str(modis_folder(config, int(wc.year))),
        vanished=lambda wc: missing_files(f"{MANIFESTS}/modis/{wc.year}.csv"),
    message:
        "downloading MODIS of {wildcards.year}"
    script:
        "../scripts/download_modis.py"


rule download_landcover:
    output:
        manifest=f"{MANIFESTS}/landcover.csv",
    log:
        "results/logs/download/landcover.log",
    resources:
        downloads=1,
    params:
        target=config["inputs"]["landcover"],
        vanished=lambda wc: missing_files(f"{MANIFESTS}/landcover.csv"),
    message:
        "downloading the land cover"
    script:
        "../scripts/download_landcover.py"
