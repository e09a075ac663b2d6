from fnmatch import fnmatch
from glob import glob
from pathlib import Path

from tamflux.config import check_config
from tamflux.errors import ConfigError
from tamflux.provenance import code_hash
from tamflux.sources.demo_earth.layout import demo_files

check_config(config)

CUBE_YEARS = sorted({*config["years"]["train"], *config["years"]["product"], *config["years"]["spinup"]})
DEMO_FILES = demo_files(config)


def history_year(year):
    """The year whose cube is the history of `year`: the year before, else `year` itself."""
    return int(year) - 1 if int(year) - 1 in CUBE_YEARS else int(year)


def raw_files(path, year=None):
    """Raw files of a path of `inputs`: those that are there, and those that the demo will write.

    A path that leads outside the demo must match something now; a typing error in a path is
    thus found before any work.
    """
    pattern = path.replace("{year}", str(year))
    files = sorted({*glob(pattern), *(file for file in DEMO_FILES if fnmatch(file, pattern))})
    if not files:
        raise ConfigError(
            "no file matches a path of `inputs`",
            file=pattern,
            fix="correct the path in config.yaml, or put the files there",
        )
    return files


rule check:
    message:
        "checking the configuration and every input file"
    params:
        config=config,
    log:
        "results/logs/check.log",
    script:
        "../scripts/check_inputs.py"
