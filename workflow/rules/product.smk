rule assemble_product:
    input:
        tiles="results/tiles/tamrl_{year}.zarr",
        static="results/predictors/static.nc",
        calibration="results/models/calibration.json",
        inputs="results/product/inputs_{year}.csv",
    output:
        daily="results/product/tamflux_daily_{year}.nc",
    log:
        "results/logs/product/assemble_product_{year}.log",
    benchmark:
        "results/benchmarks/product/assemble_product_{year}.tsv"
    threads: 2
    resources:
        mem_mb=2000,
    params:
        code=code_of("assemble_product"),
        config=RECORDED,
    message:
        "assembling the daily product of {wildcards.year}"
    script:
        "../scripts/assemble_product.py"


rule aggregate_product:
    input:
        daily="results/product/tamflux_daily_{year}.nc",
        static="results/predictors/static.nc",
        calibration="results/models/calibration.json",
    output:
        monthly="results/product/tamflux_monthly_{year}.nc",
        annual="results/product/tamflux_annual_{year}.nc",
    log:
        "results/logs/product/aggregate_product_{year}.log",
    benchmark:
        "results/benchmarks/product/aggregate_product_{year}.tsv"
    resources:
        mem_mb=2000,
    params:
        code=code_of("aggregate_product"),
    message:
        "averaging the product of {wildcards.year} over months and the year"
    script:
        "../scripts/aggregate_product.py"


rule write_members:
    input:
        monthly="results/product/tamflux_monthly_{year}.nc",
        tiles="results/tiles/tamrl_{year}.zarr",
    output:
        members="results/product/tamflux_members_{year}.nc",
    log:
        "results/logs/product/write_members_{year}.log",
    benchmark:
        "results/benchmarks/product/write_members_{year}.tsv"
    resources:
        mem_mb=2000,
    params:
        code=code_of("write_members"),
    message:
        "writing the monthly means of the members of {wildcards.year}"
    script:
        "../scripts/write_members.py"


rule ilamb:
    input:
        [
            f"results/product/ilamb/{flux}_tamflux_{first}-{last}.nc"
            for flux in ("gpp", "reco", "nee")
            for first, last in PERIODS
        ],
        "results/product/ilamb/areacella_tamflux.nc",
        "results/product/ilamb/sftlf_tamflux.nc",


rule zarr:
    input:
        expand("results/product/tamflux_daily_{year}.zarr", year=PRODUCT_YEARS),


rule write_ilamb_flux:
    input:
        monthly=lambda wc: expand(
            "results/product/tamflux_monthly_{year}.nc",
            year=range(int(wc.first), int(wc.last) + 1),
        ),
    output:
        flux="results/product/ilamb/{flux}_tamflux_{first}-{last}.nc",
    log:
        "results/logs/product/write_ilamb_flux_{flux}_{first}-{last}.log",
    benchmark:
        "results/benchmarks/product/write_ilamb_flux_{flux}_{first}-{last}.tsv"
    wildcard_constraints:
        flux="gpp|reco|nee",
        first=r"\d{4}",
        last=r"\d{4}",
    resources:
        mem_mb=1000,
    params:
        code=code_of("write_ilamb_flux"),
    message:
        "writing monthly {wildcards.flux} for ILAMB"
    script:
        "../scripts/write_ilamb_flux.py"


rule write_ilamb_cells:
    input:
        monthly=f"results/product/tamflux_monthly_{PRODUCT_YEARS[0]}.nc",
    output:
        areacella="results/product/ilamb/areacella_tamflux.nc",
        sftlf="results/product/ilamb/sftlf_tamflux.nc",
    log:
        "results/logs/product/write_ilamb_cells.log",
    benchmark:
        "results/benchmarks/product/write_ilamb_cells.tsv"
    resources:
        mem_mb=1000,
    params:
        code=code_of("write_ilamb_cells"),
    message:
        "writing the area of cells and land for ILAMB"
    script:
        "../scripts/write_ilamb_cells.py"


rule copy_to_zarr:
    input:
        daily="results/product/tamflux_daily_{year}.nc",
    output:
        store=directory("results/product/tamflux_daily_{year}.zarr"),
    log:
        "results/logs/product/copy_to_zarr_{year}.log",
    benchmark:
        "results/benchmarks/product/copy_to_zarr_{year}.tsv"
    resources:
        mem_mb=2000,
    params:
        code=code_of("copy_to_zarr"),
    message:
        "copying the daily product of {wildcards.year} to Zarr"
    script:
        "../scripts/copy_to_zarr.py"
