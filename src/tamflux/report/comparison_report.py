"""Report of the comparison: Markdown tables, and a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

import tamflux
from tamflux.evaluation.labels import COMPARED, HELD_OUT, ordered
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.paired import TAMRL
from tamflux.files import atomic_path
from tamflux.report.page import Section, figure, render
from tamflux.report.tables import Table, number

CAPTIONS = {
    "differences": "Relative difference of the median RMSE over sites between TAM-RL and each "
    "other model, with its 95 % interval. Left of zero TAM-RL has the smaller error.",
    "errors": "Quartiles over sites of the RMSE; the line in each bar is the median.",
}

GROUPS = ("igbp", "koppen", "wetland", "water")

METHOD = (
    "All models have the same predictors, training sites and weights of days, and settings from "
    "searches of the same size. The prediction of a model is the mean of its repetitions. Scores "
    "are computed per held-out site, on the same days for all models, and summarised as quartiles "
    "over sites.",
    "The seasonal cycle is a fit of a mean and two harmonics, the anomalies are its residuals; "
    "between-site R² is that of the sites' means. Intervals (95 %) come from a bootstrap "
    "over sites, in which towers within 5 km of each other form one cluster.",
)


def write_comparison(
    summary: str | Path,
    differences: str | Path,
    cells: str | Path | None,
    figures: Sequence[str | Path],
    markdown: str | Path,
    page: str | Path,
) -> None:
    """Write the tables as Markdown, and a page with tables and figures.

    Parameters
    ----------
    summary, differences : path
        From `score_comparison`.
    cells : path or None
        From `score_cell_predictions`.
    figures : sequence of path
        PNG files named as `CAPTIONS`.
    markdown, page : path
        Files to write; nothing in the page is loaded from elsewhere.
    """
    read = {"keep_default_na": False, "na_values": [""]}
    scores, paired = pd.read_csv(summary, **read), pd.read_csv(differences, **read)
    sections = []
    for protocol in ordered(scores["protocol"], HELD_OUT):
        part = scores[scores["protocol"] == protocol]
        tables = [
            model_table(part[part["group"] == "all"]),
            difference_table(paired[paired["protocol"] == protocol]),
            group_table(part),
        ]
        title = f"Held out: {HELD_OUT.get(protocol, protocol)}"
        sections.append(Section(protocol, title, tables=tables))
    if cells is not None:
        sections.append(
            Section("cells", "Between the towers", tables=[cell_table(pd.read_csv(cells))])
        )
    text = "\n\n".join(_markdown(section) for section in sections)
    with atomic_path(markdown) as path:
        path.write_text("\n\n".join(METHOD) + f"\n\n{text}\n", encoding="utf-8")
    drawn = [figure(Path(path), CAPTIONS) for path in figures]
    first = Section("overview", "Overview", texts=list(METHOD), figures=drawn)
    with atomic_path(page) as path:
        path.write_text(_page([first, *sections], paired), encoding="utf-8")


def model_table(part: pd.DataFrame) -> Table:
    """Scores over all sites of a protocol."""
    rows = []
    for flux, model, row in _rows(part, "model"):
        rows.append([
            flux.upper(), COMPARED.get(model, model), str(int(row["n_sites"])),
            " / ".join(number(row[f"r2_q{q}"], 2) for q in (25, 50, 75)),
            " / ".join(number(row[f"rmse_q{q}"], 2) for q in (25, 50, 75)),
            f"{number(row['rmse_seed_mean'], 2)} ± {number(row['rmse_seed_sd'], 2)}",
            *(number(row[f"{name}_q50"], 2) for name in ("nmae", "rae", "bias")),
            *(number(row[name], 2) for name in (
                "pooled_rmse", "season_r2_q50", "anomaly_r2_q50", "between_r2")),
        ])  # fmt: skip
    columns = [
        "flux", "model", "sites", "R²", "RMSE", "RMSE of one", "nMAE", "RAE", "bias",
        "pooled RMSE", "season R²", "anomaly R²", "between-site R²",
    ]  # fmt: skip
    caption = (
        "Quartiles of R² and RMSE, medians of the others; RMSE of one: median RMSE of single "
        "repetitions, mean ± standard deviation (RMSE and bias in g C m⁻² d⁻¹)"
    )
    return _table(caption, columns, rows)


def difference_table(part: pd.DataFrame) -> Table:
    """TAM-RL against every other model."""
    rows = []
    for flux, baseline, row in _rows(part, "baseline"):
        rows.append([
            flux.upper(), COMPARED.get(baseline, baseline), str(int(row["n_sites"])),
            _interval(row, "rmse_relative", 1, 100), _interval(row, "rmse_paired", 3),
            _interval(row, "r2_medians", 3), number(100 * row["better"], 0),
        ])  # fmt: skip
    columns = [
        "flux", "TAM-RL against", "sites", "median RMSE, %", "paired RMSE", "median R²",
        "sites won, %",
    ]  # fmt: skip
    caption = "Differences TAM-RL − other with 95 % intervals; paired: median over sites"
    return _table(caption, columns, rows)


def group_table(part: pd.DataFrame) -> Table:
    """Median RMSE of every model by class, climate, and at wetland and water-adjacent sites."""
    part = part[part["group"] != "all"]
    models = ordered(part["model"], COMPARED)
    rows = []
    for flux in FLUX_NAMES:
        of_flux = part[part["flux"] == flux].assign(value=part["value"].fillna("").astype(str))
        groups = dict(list(of_flux.groupby(["group", "value"])))
        for group, value in sorted(groups, key=lambda key: (GROUPS.index(key[0]), key[1])):
            row = groups[group, value].set_index("model")
            name = {"wetland": "wetland", "water": "water-adjacent", "koppen": f"climate {value}"}
            medians = [number(median, 2) for median in row["rmse_q50"].reindex(models)]
            count = str(int(row["n_sites"].max()))
            rows.append([flux.upper(), name.get(group, value), count, *medians])
    columns = ["flux", "sites of", "sites", *(COMPARED.get(model, model) for model in models)]
    caption = "Median RMSE by IGBP class, climate, wetland and water, g C m⁻² d⁻¹"
    return Table(caption, columns, rows, text={0, 1}, folded=True)


def cell_table(scores: pd.DataFrame) -> Table:
    """Scores at cells between the towers."""
    rows = [
        [
            flux.upper(), COMPARED.get(model, model), str(int(row["n_cells"])),
            *(number(row[name], 3) for name in ("r2", "rmse", "bias", "between_r2")),
        ]
        for flux, model, row in _rows(scores, "model")
    ]  # fmt: skip
    columns = ["flux", "model", "cells", "R²", "RMSE", "bias", "between-cell R²"]
    caption = "Days of land cells drawn by area, against the truth (g C m⁻² d⁻¹)"
    return _table(caption, columns, rows)


def _rows(table: pd.DataFrame, name: str):
    """Flux, model and row, in the order of the tables."""
    found = table.set_index(["flux", name])
    for flux in FLUX_NAMES:
        for model in ordered(table[name], COMPARED):
            if (flux, model) in found.index:
                yield flux, model, found.loc[(flux, model)]


def _table(caption: str, columns: list[str], rows: list[list[str]]) -> Table:
    highlighted = {k for k, row in enumerate(rows) if row[1] == COMPARED[TAMRL]}
    return Table(caption, columns, rows, text={0, 1}, strong=highlighted)


def _interval(row: pd.Series, name: str, digits: int, factor: float = 1) -> str:
    value, low, high = (factor * row[f"{name}{bound}"] for bound in ("", "_low", "_high"))
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def _markdown(section: Section) -> str:
    parts = [f"### {section.title}"]
    for table in section.tables:
        align = ["---" if k in table.text else "---:" for k in range(len(table.columns))]
        lines = [table.columns, align]
        for k, row in enumerate(table.rows):
            lines.append([f"**{cell}**" for cell in row] if k in table.strong else row)
        parts += [f"{table.caption}:", "\n".join(f"| {' | '.join(line)} |" for line in lines)]
    return "\n\n".join(parts)


def _page(sections: list[Section], paired: pd.DataFrame) -> str:
    content: Mapping[str, object] = {
        "title": "TAMFlux: comparison with other models",
        "subtitle": "Daily GPP, RECO and NEE at sites that no model was trained on.",
        "cards": _cards(paired),
        "notice": "",
        "sections": sections,
        "footer": f"Written by TAMFlux {tamflux.__version__}.",
    }
    return render(content)


def _cards(paired: pd.DataFrame) -> list[dict[str, str]]:
    """TAM-RL against the best other model of each flux, in the first protocol."""
    if paired.empty:
        return []
    first = paired[paired["protocol"] == ordered(paired["protocol"], HELD_OUT)[0]]
    cards = []
    for flux in FLUX_NAMES:
        part = first[first["flux"] == flux]
        if part["rmse_relative"].notna().any():
            best = part.loc[part["rmse_relative"].idxmax()]
            label = f"median RMSE of {flux.upper()} against the best other model, "
            label += COMPARED.get(best["baseline"], best["baseline"])
            cards.append({"value": f"{number(100 * best['rmse_relative'], 1)} %", "label": label})
    return cards
