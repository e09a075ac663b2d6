"""The command `tamflux`: thin, on the functions of the library."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tamflux.errors import TamfluxError
from tamflux.variables import IGBP_CLASSES, KOPPEN_CLASSES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    An error of the user's input is one message on the standard error, without a traceback.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options.run(options)
    except TamfluxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tamflux", description="Carbon fluxes of land and towers."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    adapt = commands.add_parser(
        "adapt",
        help="adapt a released model to one tower: fill and extend its record",
        description="Write the daily fluxes of one tower, zero-shot and adapted to its measured "
        "days, with 90 %% intervals (CSV) and a plot (PNG).",
        epilog="example: tamflux adapt FLX_US-Var_FLUXNET2015_SUBSET_DD_2000-2014_2-4.csv "
        "--model models/towers --lat 38.41 --lon -120.95 --igbp GRA --out results/us_var",
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
    return parser


def _adapt(options: argparse.Namespace) -> None:
    from tamflux.adaptation.correction import Correction
    from tamflux.adaptation.tower import adapt_tower
    from tamflux.figures.adaptation_figures import plot_adapted_series
    from tamflux.training.ensemble import Ensemble

    model, out = Path(options.model), Path(options.out)
    ensemble = Ensemble.load(sorted(model.glob("member_*.safetensors")))
    correction = Correction.load(model / "correction.json")
    out.mkdir(parents=True, exist_ok=True)
    name = Path(options.files[0]).stem
    site = {key: getattr(options, key) for key in ("lat", "lon", "igbp", "koppen")}
    series = adapt_tower(options.files, ensemble, correction, out / f"{name}_adapted.csv", site)
    plot_adapted_series(series, name, out / f"{name}_adapted.png")
    logging.getLogger("tamflux").info("written: %s", out / f"{name}_adapted.csv and .png")


if __name__ == "__main__":
    sys.exit(main())
