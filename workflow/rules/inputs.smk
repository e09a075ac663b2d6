# The files that each stage reads of `inputs`, and the checksums that the product names.
import os
from functools import partial
from types import SimpleNamespace

from tamflux.demo_earth.layout import demo_files
from tamflux.files import find_files, matches, size_and_date
from tamflux.readers.cds_files import files_of_last_hour
from tamflux.readers.modis_files import modis_files_of_year

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
    """Raw files of the year.

    Of hourly kinds a year ends with 00 UTC of the next one. The jobs find that file themselves
    (`files_of_last_hour`): when the next year's own files come, a finished year stays as it is.
    """
    return raw_files(config["inputs"]["era5"]["path"], wc.year)


def has_last_hour(wc):
    """Whether the last hour of the year is there, or none is needed."""
    era5 = config["inputs"]["era5"]
    daily = era5["kind"] == "daily_statistics"
    return daily or bool(files_of_last_hour(era5, int(wc.year)))


def modis_files(wc):
    """Files of the year, and those of the years around it that count."""
    find = partial(raw_files, config["inputs"]["modis"]["path"])
    return [*map(str, modis_files_of_year(find, int(wc.year), YEARS))]


def tower_files(wc):
    """Tower files, and the table of sites where there is one."""
    towers = config["inputs"]["towers"]
    return [*raw_files(towers["path"]), *[towers["sites"]] * bool(towers["sites"])]


def checksummed_files(wc):
    """Raw files of ERA5, MODIS or extra predictors in a year, of land, towers, static extras."""
    kind, _, year = wc.source.partition("_")
    if kind == "land":
        return land_files(wc)
    if kind == "towers":
        return tower_files(wc)
    if kind == "extra":
        names = DYNAMIC if year else STATIC
        files = [extra_files(SimpleNamespace(extra=each, year=year)) for each in names]
        return sorted({file for of_name in files for file in of_name})
    return {"era5": era5_files, "modis": modis_files}[kind](SimpleNamespace(year=year))


def raw_tables(wc):
    """Tables of the raw files that a product year follows from."""
    year = int(wc.year)
    years = sorted({*TRAINING_YEARS, *with_lookback([year])})
    of_years = ["era5", "modis", *["extra"] * bool(DYNAMIC)]
    kinds = [f"{kind}_{y}" for kind in of_years for y in years]
    kinds += ["land", *["towers"] * (not RELEASED), *["extra"] * bool(STATIC)]
    return [f"results/provenance/{kind}.csv" for kind in kinds]


def released_files(wc):
    """The files of the released model."""
    folder = Path(config["inference"]["model"])
    return [str(folder / name) for name in (MANIFEST, *RELEASED.sha256)]


def reference_files(wc):
    """Files of a reference product in all product years."""
    path = REFERENCES[wc.reference]["path"]
    return sorted({f for year in PRODUCT_YEARS for f in raw_files(path, year)})


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


def previous_product(wc):
    """Annual files of another version; never inputs, which a job may set aside."""
    results = config["previous_results"]
    files = sorted(Path(str(results), "product").glob("tamflux_annual_*.nc"))
    if not files:
        stop(
            "there is no other version to compare with",
            variable="previous_results",
            found=results or "null",
            expected="a folder of results with product/tamflux_annual_*.nc",
            fix="name the results of another run: --config previous_results=FOLDER",
        )
    return [str(path) for path in files]
