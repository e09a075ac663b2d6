from pathlib import Path

from tamflux.provenance import code_hash

CUBE_YEARS = sorted({*config["years"]["train"], *config["years"]["product"], *config["years"]["spinup"]})


def history_year(year):
    """The year whose cube is the history of `year`: the year before, else `year` itself."""
    year = int(year)
    return year - 1 if year - 1 in CUBE_YEARS else year
