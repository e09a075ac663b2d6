"""The command `tamflux`: thin, on the functions of the library."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tamflux.errors import TamfluxError
from tamflux.variables import FLUXES, IGBP_CLASSES, KOPPEN_CLASSES

log = logging.getLogger("tamflux")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    An error of the user's input is one message on the standard error, without a traceback.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options.run(options)
    except TamfluxError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        what = "a file cannot be read or written"
        print(TamfluxError(what, file=error.filename, found=error.strerror), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tamflux", description="Carbon fluxes of the land.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_check, _add_site, _add_map, _add_totals, _add_predict, _add_adapt):
        add(commands)
    return parser


def _add_check(commands) -> None:
    check = commands.add_parser(
        "check",
        help="look at the configuration and every input file, compute nothing",
        description="List what is wrong with the configuration and the raw files before a run; "
        "the rule `check` of the workflow in this folder.",
        epilog="example: tamflux check --configfile mine.yaml",
    )
    check.add_argument("--configfile", nargs="+", default=[], help="overlays over config.yaml")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> None:
    import subprocess

    from tamflux.errors import ConfigError

    if not Path("Snakefile").is_file():
        raise ConfigError(
            "there is no workflow in this folder", file=Path.cwd() / "Snakefile",
            fix="change to the folder of the source code, where config.yaml lies",
        )  # fmt: skip
    overlays = ["--configfile", *options.configfile] if options.configfile else []
    rule = [sys.executable, "-m", "snakemake", "check", "--cores", "1", "--quiet", "all", *overlays]
    if subprocess.run(rule).returncode:  # noqa: S603 (the user's own files, no shell)
        raise ConfigError("the run would stop", fix="correct what is listed above")


def _add_site(commands) -> None:
    site = commands.add_parser(
        "site",
        help="the daily series of one grid cell of a finished product",
        description="Write the daily fluxes of the cell that holds a point, with intervals and "
        "flags, as CSV and NetCDF, and print what the cell is made of; with the file of a tower, "
        "its days beside them, scores and a plot.",
        epilog="example: tamflux site 51.08 10.45 --out results/hainich",
    )
    site.add_argument("lat", type=float, help="latitude, degree; south is negative")
    site.add_argument("lon", type=float, help="longitude, degree; west is negative")
    site.add_argument("--results", default="results", help="folder of a finished run")
    site.add_argument("--out", default="site", help="path of the two files, without its ending")
    site.add_argument("--tower", nargs="+", metavar="FILE", help="files of the tower at the point")
    site.add_argument(
        "--model", help="folder of a released model: adapts the series to the tower's days"
    )
    site.set_defaults(run=_site)


def _site(options: argparse.Namespace) -> None:
    from tamflux.errors import ConfigError
    from tamflux.product.browse import read_site, write_site

    if options.model and not options.tower:
        raise ConfigError("there is no tower to adapt to", fix="name its files with --tower")
    site = read_site(options.results, options.lat, options.lon)
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_site(site, out.with_suffix(".csv"), out.with_suffix(".nc"))
    log.info("cell: lat %g, lon %g", site["lat"], site["lon"])
    classes = {str(n): float(v) for n, v in site.data_vars.items() if str(n).startswith("igbp_")}
    ordered = sorted(classes.items(), key=lambda item: -item[1])
    parts = ", ".join(f"{n.removeprefix('igbp_')} {share:.0%}" for n, share in ordered)
    log.info("land: %s; Köppen class %s", parts or "unknown", site.attrs.get("koppen", "unknown"))
    log.info("quality: %s", site.attrs["quality"])
    if "dissimilarity_index" in site:
        log.info("dissimilarity index: %.2f", site["dissimilarity_index"])
    log.info("nearest towers: %s", site.attrs["nearest_towers"] or "unknown")
    for flux in FLUXES:
        log.info("%s: mean %.2f g C m-2 d-1", flux.upper(), float(site[flux].mean()))
    log.info("written: %s and .nc", out.with_suffix(".csv"))
    if options.tower:
        _beside_tower(site, options, out)


def _beside_tower(site, options: argparse.Namespace, out: Path) -> None:
    """Scores, table and plot of the cell's series beside a tower's."""
    from tamflux.adaptation.cell import add_measured
    from tamflux.evaluation.metrics import score_sites
    from tamflux.figures.adaptation_figures import plot_cell_series
    from tamflux.files import atomic_path

    site_id, table = add_measured(site, options.tower)
    if options.model:
        table = _adapt_site(site, table, options)
    names = {flux: f"{flux}_pred" for flux in FLUXES} | {
        f"{flux}_observed": flux for flux in FLUXES
    }
    scores = score_sites(table[table["used"]].rename(columns=names).assign(site_id=site_id))
    for part, written in (("tower", table), ("scores", scores)):
        with atomic_path(out.with_name(f"{out.name}_{part}.csv")) as path:
            written.to_csv(path, index=False, float_format="%.5g")
    plot_cell_series(table, site_id, out.with_name(f"{out.name}_tower.png"))
    for row in scores.to_dict("records"):
        log.info(
            "%s: %d days of %s, R² %.2f, RMSE %.2f, bias %.2f g C m-2 d-1",
            row["flux"].upper(), row["n"], site_id, row["r2"], row["rmse"], row["bias"],
        )  # fmt: skip
    if site_id in site.attrs.get("tamflux_training_sites", "").split():
        log.info("%s trained the product: these scores are no test of it", site_id)
    log.info("written: %s_tower.csv, _tower.png and _scores.csv", out)


def _adapt_site(site, table, options: argparse.Namespace):
    from tamflux.adaptation.cell import adapt_cell
    from tamflux.adaptation.correction import Correction
    from tamflux.released import CORRECTION

    correction = Correction.load(Path(options.model) / CORRECTION)
    years = sorted(set(table["date"].dt.year))
    cubes = [Path(options.results, "predictors", f"{year}.zarr") for year in years]
    before = cubes[0].with_name(f"{years[0] - 1}.zarr")
    cubes = [before, *cubes] if before.is_dir() else cubes
    spec = _ensemble(options.model).specs[0]
    return adapt_cell(table, cubes, float(site["lat"]), float(site["lon"]), correction, spec)


def _add_map(commands) -> None:
    drawn = commands.add_parser(
        "map",
        help="a map of any variable of a finished product, as PNG or GeoTIFF",
        description="Draw a variable on a map (.png), or write it as a GeoTIFF (.tif).",
        epilog="example: tamflux map gpp --time 2003-07 -o gpp_july.png",
    )
    drawn.add_argument("variable", help="such as gpp, nee_std or dissimilarity_index")
    drawn.add_argument(
        "--time", required=True, help="year, month or day: 2003, 2003-07, 2003-07-01"
    )
    drawn.add_argument("-o", "--out", required=True, help="file to write: .png or .tif")
    drawn.add_argument("--results", default="results", help="folder of a finished run")
    drawn.set_defaults(run=_map)


def _map(options: argparse.Namespace) -> None:
    from tamflux.errors import ConfigError
    from tamflux.product.browse import read_map, write_geotiff

    out = Path(options.out)
    if out.suffix not in (".png", ".tif"):
        raise ConfigError("no such kind of map", file=out, expected=".png or .tif", fix="rename it")
    field = read_map(options.results, options.variable, options.time)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".tif":
        write_geotiff(field, out)
    else:
        import matplotlib.pyplot as plt

        from tamflux.api import plot_map
        from tamflux.figures.style import save

        figure = plt.figure(figsize=(8, 5))
        plot_map(field, figure.add_subplot(), diverging=options.variable == "nee")
        save(figure, out)
    log.info("written: %s", out)


def _add_totals(commands) -> None:
    totals = commands.add_parser(
        "totals",
        help="the totals of your own regions, by year and month",
        description="Sum the fluxes of a finished product over polygons, with the standard "
        "deviation over members and the 90 %% interval of the totals.",
        epilog="example: tamflux totals --regions catchments.gpkg -o totals.csv",
    )
    totals.add_argument(
        "--regions", required=True, help="GeoPackage, shapefile or GeoJSON with a column name"
    )
    totals.add_argument("--years", nargs="+", type=int, metavar="YEAR", help="by default all")
    totals.add_argument("--results", default="results", help="folder of a finished run")
    totals.add_argument(
        "-o", "--out", default="totals.csv", help="CSV of the years; *_monthly.csv has the months"
    )
    totals.set_defaults(run=_totals)


def _totals(options: argparse.Namespace) -> None:
    from tamflux.product.totals import sum_regions

    out = Path(options.out)
    months = out.with_name(f"{out.stem}_monthly.csv")
    out.parent.mkdir(parents=True, exist_ok=True)
    table = sum_regions(options.results, options.regions, out, months, options.years)
    for row in table.to_dict("records"):
        parts = [f"{flux.upper()} {_in_teragrams(row, flux)}" for flux in FLUXES]
        log.info("%s %s: %s Tg C", row["region"], row["year"], ", ".join(parts))
    log.info("written: %s and %s", out, months)


def _in_teragrams(row: dict, flux: str) -> str:
    """A total with the half-width of its 90 % interval, Tg C, to three digits."""
    total, half_width = (
        f"{float(f'{1000 * row[name]:.3g}'):g}" for name in (flux, f"{flux}_pi90_halfwidth")
    )
    return total if half_width == "nan" else f"{total} ± {half_width}"


def _add_predict(commands) -> None:
    predict = commands.add_parser(
        "predict",
        help="predict the towers of a site table with a released model",
        description="Predict every day of a table of site-days (Parquet) zero-shot.",
        epilog="example: tamflux predict days.parquet sites.csv --model models/fluxnet2015 "
        "-o fluxes.csv",
    )
    predict.add_argument("days", help="Parquet table of site-days, its columns: docs/data.md")
    predict.add_argument("sites", help="CSV table of their sites: site_id, lat, lon, IGBP, koppen")
    predict.add_argument("--model", required=True, help="folder of a released model")
    predict.add_argument("-o", "--out", required=True, help="CSV or Parquet file to write")
    predict.set_defaults(run=_predict)


def _predict(options: argparse.Namespace) -> None:
    from tamflux.training.real_towers import predict_table

    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    table = predict_table(options.days, options.sites, _ensemble(options.model), out)
    log.info("written: %s, %d days of %d sites", out, len(table), table["site_id"].nunique())


def _add_adapt(commands) -> None:
    adapt = commands.add_parser(
        "adapt",
        help="adapt a released model to one tower: fill and extend its record",
        description="Write the daily fluxes of one tower, zero-shot and adapted to its measured "
        "days, with 90 %% intervals (CSV) and a plot (PNG).",
        epilog="example: tamflux adapt FLX_FI-Ken_2018-2020_FULLSET_DD.csv "
        "--model models/fluxnet2015 --lat 67.99 --lon 24.24 --igbp ENF --out results/kenttarova",
    )
    adapt.add_argument("files", nargs="+", help="the tower's files, as its network delivers them")
    adapt.add_argument("--model", required=True, help="folder of a released model")
    adapt.add_argument("--out", default=".", help="folder for the series and the plot")
    adapt.add_argument("--lat", type=float, help="latitude, degree")
    adapt.add_argument("--lon", type=float, help="longitude, degree")
    adapt.add_argument("--igbp", choices=IGBP_CLASSES, help="IGBP class of the site")
    adapt.add_argument(
        "--koppen", choices=KOPPEN_CLASSES, metavar="CLASS",
        help="Köppen class of the site, such as Csa; by default that of a map",
    )  # fmt: skip
    adapt.set_defaults(run=_adapt)


def _adapt(options: argparse.Namespace) -> None:
    from tamflux.adaptation.correction import Correction
    from tamflux.adaptation.tower import adapt_tower
    from tamflux.figures.adaptation_figures import plot_adapted_series
    from tamflux.released import CORRECTION

    out = Path(options.out)
    ensemble = _ensemble(options.model)
    correction = Correction.load(Path(options.model) / CORRECTION)
    out.mkdir(parents=True, exist_ok=True)
    name = Path(options.files[0]).stem
    site = {key: getattr(options, key) for key in ("lat", "lon", "igbp", "koppen")}
    series_path = out / f"{name}_adapted.csv"
    series = adapt_tower(options.files, ensemble, correction, series_path, site)
    plot_adapted_series(series, name, series_path.with_suffix(".png"))
    log.info("written: %s and .png", series_path)


def _ensemble(folder: str):
    """The members of a released model, checked against its list."""
    from tamflux.released import ReleasedModel
    from tamflux.training.ensemble import Ensemble

    model = ReleasedModel.read(folder)
    model.verify(folder)
    return Ensemble.load([Path(folder) / name for name in model.members])


if __name__ == "__main__":
    sys.exit(main())
