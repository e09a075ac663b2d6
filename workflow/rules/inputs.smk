# The files that each stage reads of `inputs`, and the checksums that the product names.
import os
from types import SimpleNamespace

from tamflux.config import partial_year
from tamflux.files import find_files, matches, size_and_date
from tamflux.readers.cds_files import may_start_year
from tamflux.demo_earth.layout import demo_files
from tamflux.readers.modis_files import near_year

LASTING = ["land", "towers", *["extra"] * bool(config["predictors"].get("extra"))]
LAND = ("landcover", "koppen", "elevation")
DEMO_FILES = {*map(str, demo_files(config))}


def raw_files(path, year=None):
    """Raw files of a path of `inputs`: those that are there, and those that the demo will write.

    A path that leads outside the demo must match something now; a typing error in a path is
    thus found before any work.
    """
    pattern = path.replace("{year}", str(year))
    demo = {file for file in DEMO_FILES if matches(file, pattern)}
    files = sorted({*find_files(pattern), *demo})
    if not files:
        stop(
            "no file matches a path of `inputs`",
            file=pattern,
            fix="correct the path in the configuration, or put the files there: "
            "`snakemake check` with the same --configfile lists all that is missing",
        )
    return files


def land_file(name):
    """The one file of a key of `inputs`; None where it is null."""
    if not (path := config["inputs"][name]):
        return None
    files = raw_files(path)
    if len(files) > 1:
        stop(
            f"several files match inputs.{name}",
            file=path,
            found=", ".join(files),
            fix="name one of them",
        )
    return files[0]


def land_files(wc):
    """Files of land cover, Köppen classes and, where given, elevation."""
    return [*filter(None, map(land_file, LAND))]


def of_demo(files_of):
    """Raw files that the demo Earth writes: inputs of a rule, as rules make them.

    A user's own files are parameters instead. Snakemake compares the dates of inputs and refuses
    those in the future; a copy keeps old dates, and another clock may be ahead.
    """
    return lambda wc: [file for file in files_of(wc) if file in DEMO_FILES]


def state_of(files_of):
    """Sizes and dates of the user's own files, as a parameter: another file is noticed."""

    def state(wc):
        own = [file for file in files_of(wc) if file not in DEMO_FILES]
        for file in own:
            if not os.path.exists(file):
                stop("a file of the configuration is not there", file=file)
        return [f"{file} {size_and_date(file)}" for file in own]

    return state


def era5_files(wc):
    """Raw files of the year; hourly kinds end with 00 UTC of the next year, if that is there."""
    era5, year = config["inputs"]["era5"], int(wc.year)
    files = raw_files(era5["path"], year)
    if era5["kind"] != "daily_statistics":
        following = find_files(era5["path"].replace("{year}", str(year + 1)))
        files += [file for file in following if may_start_year(file, year + 1)]
    return sorted({*files})


def may_end_early(wc):
    """Whether more months of a year may come; see tamflux.config."""
    return int(wc.year) == partial_year(config["years"])


def modis_files(wc):
    """Files of the year, and of the last and first days of the neighbouring years."""
    year = int(wc.year)
    years = [y for y in (year - 1, year, year + 1) if y in CUBE_YEARS]
    path = config["inputs"]["modis"]["path"]
    files = {file for y in years for file in raw_files(path, y)}
    return [*map(str, near_year(files, year))]


def tower_files(wc):
    """Tower files, and the table of sites where there is one."""
    towers = config["inputs"]["towers"]
    return [*raw_files(towers["path"]), *[towers["sites"]] * bool(towers["sites"])]


def checksummed_files(wc):
    """Raw files of ERA5 or MODIS in a year, of land, towers, or extra predictors."""
    kind, _, year = wc.source.partition("_")
    if kind == "land":
        return land_files(wc)
    if kind == "towers":
        return tower_files(wc)
    if kind == "extra":
        return all_extra_files(wc)
    return {"era5": era5_files, "modis": modis_files}[kind](SimpleNamespace(year=year))


def raw_tables(wc):
    """Tables of the raw files that a product year follows from."""
    year = int(wc.year)
    years = sorted({*TRAINING_YEARS, *with_lookback([year])})
    kinds = [f"{kind}_{y}" for kind in ("era5", "modis") for y in years]
    return [f"results/provenance/{kind}.csv" for kind in kinds + LASTING]


def site_table(wc):
    """Files of a site table: the one with folds, or the second, to predict."""
    section = section_of("real_towers", "fluxnet2015")
    prefix = "" if wc.table == "folds" else "predict_"
    return [section[f"{prefix}days"], section[f"{prefix}sites"]]


def carbonfluxbench_files(wc):
    """The benchmark's files."""
    folder = section_of("carbonfluxbench", "carbonfluxbench")["folder"]
    targets = find_files(f"{folder}/target_fluxes*.parquet")
    names = ["MOD09GA.parquet", "ERA5.parquet"]
    names += ["koppen_sites.json", "koppen_sites_short.json"]
    return [
        *(targets or [f"{folder}/target_fluxes.parquet"]),
        *(f"{folder}/{name}" for name in names),
    ]


def reference_files(wc):
    """Files of a reference product in all product years."""
    path = REFERENCES[wc.reference]["path"]
    return sorted({f for year in PRODUCT_YEARS for f in raw_files(path, year)})
