"""Release a trained model: one folder, with a card that says where not to use it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

import tamflux
from tamflux.files import atomic_path
from tamflux.released import CALIBRATION, CARD, CORRECTION, FEATURE_SPACE, SITES, write_manifest
from tamflux.report.model_card import read_spec
from tamflux.variables import KOPPEN_CLASSES, METEOROLOGY, VEGETATED

FEW_SITES = 3
"""A class with fewer training sites than this is named as one that the model hardly knows."""

FLUXNET = (
    "This work used eddy covariance data acquired and shared by the FLUXNET community, including "
    "these networks: AmeriFlux, AfriFlux, AsiaFlux, CarboAfrica, CarboEuropeIP, CarboItaly, "
    "CarboMont, ChinaFlux, Fluxnet-Canada, GreenGrass, ICOS, KoFlux, LBA, NECC, OzFlux-TERN, "
    "TCOS-Siberia, and USCCC. The FLUXNET eddy covariance data processing and harmonization was "
    "carried out by the European Fluxes Database Cluster, AmeriFlux Management Project, and "
    "Fluxdata project of FLUXNET, with the support of CDIAC and ICOS Ecosystem Thematic Center, "
    "and the OzFlux, ChinaFlux and AsiaFlux offices."
)
NETWORKS = {
    "FLUXNET2015": (
        "CC-BY-4.0",
        f"Pastorello et al. (2020), Sci. Data 7, 225, doi:10.1038/s41597-020-0534-3. {FLUXNET}",
    ),
    "FLUXNET2026": ("CC-BY-4.0", "The networks and site teams of https://data.fluxnet.org."),
    "AmeriFlux": (
        "CC-BY-4.0",
        "Funding for the AmeriFlux data portal was provided by the U.S. Department of Energy "
        "Office of Science. Each site has a DOI at https://ameriflux.lbl.gov.",
    ),
    "ICOS": ("CC-BY-4.0", "ICOS RI, each station's data object at https://www.icos-cp.eu."),
    "JapanFlux": ("CC-BY-4.0", "JapanFlux2024 and the principal investigators of its sites."),
}
"""Licence and attribution of the data of each network."""

SITE_COLUMNS = (
    "site_id", "lat", "lon", "igbp", "koppen", "network", "licence", "doi", "citation"
)  # fmt: skip


def release_model(
    members: Sequence[str | Path],
    calibration: str | Path,
    feature_space: str | Path,
    sites: str | Path,
    scores: str | Path,
    folder: str | Path,
    *,
    name: str,
    network: str | None,
    demo: bool = False,
    towers: str | Path | None = None,
    correction: str | Path | None = None,
) -> None:
    """Write a folder that `inference.model` names (`tamflux.released`).

    Parameters
    ----------
    members, calibration, feature_space : sequence of path, path, path
        What was trained and calibrated.
    sites : path
        Table of sites of the samples; those that trained are listed in the folder.
    scores : path
        Scores at held-out sites: the summary of `real_towers`, or `results/validation/scores.csv`.
    folder : path
        Folder to write.
    name : str
        Name of the model.
    network : str or None
        Network of all sites of a site table; None where `towers` says it.
    demo : bool
        Whether the towers are those of the demo Earth.
    towers : path, optional
        `results/towers/sites.csv`, for a model that was trained on cubes.
    correction : path, optional
        How the errors of sites vary, for `tamflux adapt` (`tamflux.adaptation.correction`).
    """
    specs = [read_spec(path) for path in members]
    table = describe_sites(sites, specs[0]["training_sites"], network, towers, demo=demo)
    with atomic_path(folder) as partial:
        partial.mkdir(parents=True)
        for number, path in enumerate(members):
            shutil.copyfile(path, partial / f"member_{number}.safetensors")
        shutil.copyfile(calibration, partial / CALIBRATION)
        shutil.copyfile(feature_space, partial / FEATURE_SPACE)
        if correction is not None:
            shutil.copyfile(correction, partial / CORRECTION)
        table.to_csv(partial / SITES, index=False)
        text = _card(name, specs, table, scores, calibration, at_towers=towers is None, demo=demo)
        (partial / CARD).write_text(text, encoding="utf-8")
        write_manifest(partial, specs[0])


def describe_sites(
    sites: str | Path,
    training_sites: Sequence[str],
    network: str | None,
    towers: str | Path | None = None,
    *,
    demo: bool = False,
) -> pd.DataFrame:
    """Training sites, sorted by `site_id`: `SITE_COLUMNS`.

    Licence and citation are those of the network; the DOI, and a citation that goes before, are
    those of the site where its own metadata have them (`towers`).
    """
    table = _read(sites)
    table = table[table["site_id"].isin(training_sites)].sort_values("site_id")
    table = table[["site_id", "lat", "lon", "igbp", "koppen"]].round({"lat": 5, "lon": 5})
    if towers is None:
        table = table.assign(network=network or "unknown")
    else:
        own = _read(towers).reindex(columns=["site_id", "network", "doi", "citation"])
        table = table.merge(own, on="site_id", how="left", validate="one_to_one")
    return _with_terms(table, demo)


def list_towers(
    output: str | Path,
    model: str | Path | None = None,
    *,
    members: Sequence[str | Path] = (),
    sites: str | Path | None = None,
    towers: str | Path | None = None,
    demo: bool = False,
) -> None:
    """Write the list of the towers that trained a product, with what their networks ask for.

    Parameters
    ----------
    output : path
        CSV to write: `SITE_COLUMNS`.
    model : path, optional
        Folder of the released model that made the product; without it the rest is needed.
    members : sequence of path
        Checkpoints, for the training sites.
    sites, towers : path
        Tables of sites of the samples and of the towers.
    demo : bool
        Whether the towers are those of the demo Earth.
    """
    if model is not None:
        table = _with_terms(_read(Path(model) / SITES), demo=False)
    else:
        trained = sorted({s for path in members for s in read_spec(path)["training_sites"]})
        assert sites is not None
        table = describe_sites(sites, trained, None, towers, demo=demo)
    with atomic_path(output) as partial:
        table.to_csv(partial, index=False)


def _with_terms(table: pd.DataFrame, demo: bool) -> pd.DataFrame:
    """The table with licence, DOI and citation of each site."""
    table = table.reindex(columns=[*dict.fromkeys([*table, *SITE_COLUMNS])])
    of_network = [
        [NETWORKS.get(name, ("unknown", "")) for name in str(names).split("; ")]
        for names in table["network"]
    ]
    licences = ["; ".join(dict.fromkeys(licence for licence, _ in terms)) for terms in of_network]
    citations = [" ".join(text for _, text in terms if text) for terms in of_network]
    own = ["" if pd.isna(text) else str(text) for text in table["citation"]]
    both = [  # a released list has both already
        text if text.endswith(network) else f"{text} {network}".strip()
        for text, network in zip(own, citations, strict=True)
    ]
    if demo:
        licences, both = ["none: synthetic"] * len(table), ["none: synthetic"] * len(table)
    return table.assign(licence=licences, citation=both)[list(SITE_COLUMNS)]


def _card(
    name: str,
    specs: Sequence[Mapping[str, Any]],
    sites: pd.DataFrame,
    scores: str | Path,
    calibration: str | Path,
    *,
    at_towers: bool,
    demo: bool,
) -> str:
    """Text of the model card."""
    spec = specs[0]
    settings = {**spec["provenance"]["model"], **spec["provenance"]["training"]}
    counts = sites["igbp"].value_counts()
    climates = sites["koppen"].value_counts()
    source = (files("tamflux.report") / "templates" / "released_model.md.j2").read_text()
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(source)
    used = dict.fromkeys(part for names in sites["network"] for part in names.split("; "))
    return template.render(
        name=name,
        version=tamflux.__version__,
        spec=spec,
        members=len(specs),
        seeds=[each["provenance"]["seed"] for each in specs],
        settings=", ".join(f"{key} {value}" for key, value in sorted(settings.items())),
        predictors=[f"{p} ({u})" for p, u in zip(spec["predictors"], spec["units"], strict=True)],
        local=[p for p in spec["predictors"] if p in METEOROLOGY],
        networks={each: NETWORKS.get(each, ("unknown", "not known")) for each in used},
        of_network=sites["network"].value_counts().to_dict(),
        classes=[(igbp, int(counts.get(igbp, 0))) for igbp in VEGETATED],
        few_classes=[igbp for igbp in VEGETATED if counts.get(igbp, 0) < FEW_SITES],
        climates=[(k, int(climates[k])) for k in KOPPEN_CLASSES if k in climates],
        few_climates=[k for k in KOPPEN_CLASSES if climates.get(k, 0) < FEW_SITES],
        few=FEW_SITES,
        sites=sites.to_dict("records"),
        scores=_daily_scores(pd.read_csv(scores)),
        about=json.loads(Path(calibration).read_text(encoding="utf-8"))["about"],
        at_towers=at_towers,
        demo=demo,
    )


def _daily_scores(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Medians over held-out sites of the scores of days, one row a flux."""
    table = table[(table["group"] == "all") & (table["model"] == "tamrl")]
    if "protocol" in table:
        table = table[(table["protocol"] == "folds") & (table["scale"] == "daily")]
    else:
        table = table.rename(columns=lambda column: column.replace("_q50", "_median"))
    rows = table[["flux", "n_sites", "r2_median", "rmse_median", "bias_median"]]
    return rows.to_dict("records")


def _read(path: str | Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""])
