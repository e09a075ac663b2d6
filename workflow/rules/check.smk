# One run at a time in a folder; a lock that a killed run has left is removed.
#
# The system frees the lock of a process that dies. Nobody holds it: then the locks in Snakemake's
# folder are of a killed run, and `--unlock` is not needed.
import sys
from contextlib import ExitStack

from tamflux.errors import TamfluxError
from tamflux.files import exclusive

RUN_LOCK = {
    "lock": ".snakemake/run.lock",
    "what": "another run works in this folder",
    "file": Path.cwd(),
}
RUNNING = ExitStack()

if workflow.is_main_process:
    try:
        with exclusive(**RUN_LOCK):
            for stale in Path(".snakemake/locks").glob("*.lock"):
                stale.unlink()
    except TamfluxError as error:
        print(error, file=sys.stderr)


onstart:
    RUNNING.enter_context(exclusive(**RUN_LOCK))


rule check:
    log:
        "results/logs/check.log",
    params:
        config=config,
    message:
        "checking the configuration and every input file"
    script:
        "../scripts/check_inputs.py"


rule verify:
    log:
        "results/logs/verify.log",
    message:
        "comparing every result with its checksums"
    script:
        "../scripts/verify_results.py"


rule test_product:
    input:
        daily="results/product/tamflux_daily_{year}.nc",
        monthly="results/product/tamflux_monthly_{year}.nc",
        annual="results/product/tamflux_annual_{year}.nc",
        totals=ancient("results/product/totals.csv"),  # a further year adds rows
        static="results/predictors/static.nc",
        tests=collect(
            "{test}",
            test=[
                of_source(path)
                for path in sorted(
                    Path(workflow.basedir, "tests/product").glob("*.py")
                )
                if path.stem != "test_responses"
            ],
        ),
    output:
        report="results/product/tests_{year}.txt",
    log:
        "results/logs/check/test_product_{year}.log",
    benchmark:
        "results/benchmarks/check/test_product_{year}.tsv"
    resources:
        mem_mb=2000,
    params:
        code=code_of("test_product"),
    message:
        "testing the product of {wildcards.year}"
    script:
        "../scripts/test_product.py"


rule test_responses:
    input:
        members=expand(
            "results/models/tamrl_{member}.safetensors",
            member=range(config["training"]["members"]),
        ),
        samples=expand("results/samples/{year}.parquet", year=TRAINING_YEARS),
        sites="results/samples/sites.csv",
        tests=of_source("tests/product/test_responses.py"),
    output:
        report="results/models/responses.txt",
    log:
        "results/logs/check/test_responses.log",
    benchmark:
        "results/benchmarks/check/test_responses.tsv"
    resources:
        mem_mb=2500,
    params:
        code=code_of("test_responses"),
    message:
        "testing the responses of the members to light, drought, warmth and snow"
    script:
        "../scripts/test_responses.py"


rule checksum_inputs:
    input:
        of_demo(checksummed_files),
    output:
        table="results/provenance/{source}.csv",
    log:
        "results/logs/check/checksum_inputs_{source}.log",
    benchmark:
        "results/benchmarks/check/checksum_inputs_{source}.tsv"
    wildcard_constraints:
        source=r"(era5|modis|extra)_\d{4}|land|towers|extra",
    resources:
        mem_mb=500,
    params:
        source="{source}",
        files=checksummed_files,
        state=state_of(checksummed_files),
        code=code_of("checksum_inputs"),
    message:
        "checksums of the raw files of {wildcards.source}"
    script:
        "../scripts/checksum_inputs.py"


rule list_inputs:
    input:
        tables=raw_tables,
    output:
        table="results/product/inputs_{year}.csv",
    log:
        "results/logs/check/list_inputs_{year}.log",
    benchmark:
        "results/benchmarks/check/list_inputs_{year}.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("list_inputs"),
    message:
        "listing the raw files behind the product of {wildcards.year}"
    script:
        "../scripts/list_inputs.py"
