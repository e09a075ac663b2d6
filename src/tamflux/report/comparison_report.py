"""Report of the comparison of models: Markdown tables, and a page of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

import tamflux
from tamflux.evaluation.labels import COMPARED, HELD_OUT, SCALED, SCORED, ordered
from tamflux.evaluation.metrics import FLUX_NAMES
from tamflux.evaluation.paired import TAMRL
from tamflux.files import atomic_path
from tamflux.report.adaptation import curve_section
from tamflux.report.page import Section, figure, render
from tamflux.report.tables import Table, number

CAPTIONS = {
    "skill": "R² by scale: medians over sites, and between the means of sites (diamonds). R² below "
    "−0.5 are drawn there.",
    "differences": "Relative difference of the mean RMSE over sites between TAM-RL and each other "
    "model, with its 95 % interval. Left of zero TAM-RL has the smaller error.",
    "errors": "RMSE over sites: bars from the 10th to the 90th percentile, with the median (line) "
    "and the mean (dot).",
}

GROUPS = ("igbp", "koppen", "wetland", "water")

METHOD = (
    "Every site is predicted by models that were not trained on it, and scored on the same days "
    "for all models. The prediction of a model is the mean of its repetitions; for TAM-RL these "
    "are the members of one ensemble. Trials are the fits among which the settings of a model "
    "were chosen, on inner held-out sites; TAM-RL has those of the configuration.",
    "Scales as in FLUXtrapolation (arXiv:2605.19812): weeks with 4 days, months with 15, the mean "
    "seasonal cycle of days observed in 2 years, anomalies from it, and anomalies of the means of "
    "years with 183 days. A site needs 10 weeks, 6 months, half of the cycle or 3 years. RMSE and "
    "bias are in g C m⁻² d⁻¹.",
    "Intervals (95 %) come from a bootstrap over sites, in which towers within 5 km of each other "
    "form one cluster.",
)


def write_comparison(
    summary: str | Path,
    differences: str | Path,
    cells: str | Path | None,
    settings: Sequence[str | Path],
    figures: Sequence[str | Path],
    markdown: str | Path,
    page: str | Path,
    *,
    curves: Sequence[str | Path] = (),
    drawn_curve: str | Path | None = None,
) -> None:
    """Write the tables of a comparison as Markdown, and a page with tables and figures.

    Parameters
    ----------
    summary, differences : path
        From `score_comparison`.
    cells : path or None
        From `score_cell_predictions`.
    settings : sequence of path
        JSON files of the searches, named after their models.
    figures : sequence of path
        PNG files named as `CAPTIONS`.
    markdown, page : path
        Files to write; nothing in the page is loaded from elsewhere.
    curves, drawn_curve : sequence of path, path
        As for `curve_section`; without them there is none.
    """
    scores, paired = read_scores(summary), read_scores(differences)
    trials = {Path(path).stem: len(json.loads(Path(path).read_text())["candidates"])
              for path in settings}  # fmt: skip
    sections = []
    for protocol in ordered(scores["protocol"], HELD_OUT):
        part = scores[scores["protocol"] == protocol]
        tables = [
            *site_tables(part, trials),
            difference_table(paired[paired["protocol"] == protocol]),
            group_table(part),
        ]
        title = f"Held out: {HELD_OUT.get(protocol, protocol)}"
        sections.append(Section(protocol, title, tables=tables))
    if cells is not None:
        sections.append(
            Section("cells", "Between the towers", tables=[cell_table(pd.read_csv(cells))])
        )
    if drawn_curve:
        sections.append(curve_section(curves, drawn_curve))
    write_markdown(sections, markdown)
    drawn = [figure(Path(path), CAPTIONS) for path in figures]
    first = Section("overview", "Overview", texts=list(METHOD), figures=drawn)
    with atomic_path(page) as path:
        path.write_text(_page([first, *sections], paired), encoding="utf-8")


def site_tables(part: pd.DataFrame, trials: Mapping[str, int]) -> list[Table]:
    """Scores over all sites of a protocol: on days, and at every scale."""
    part = part[part["group"] == "all"]
    return [
        overview_table(part),
        model_table(part, trials),
        scale_table(part, "r2"),
        scale_table(part, "rmse"),
    ]


def overview_table(part: pd.DataFrame) -> Table:
    """One row per model: the daily scores of each flux that a reader looks for first."""
    daily = part[part["scale"] == "daily"].set_index(["model", "flux"])
    means = part[part["scale"] == "site_mean"].set_index(["model", "flux"])["r2_pooled"]
    rows = []
    for model in ordered(part["model"], COMPARED):
        row = [COMPARED.get(model, model)]
        for flux in FLUX_NAMES:
            if (model, flux) not in daily.index:
                row.append("–")
                continue
            of = daily.loc[(model, flux)]
            errors = " / ".join(number(of[f"rmse_{name}"], 3) for name in ("median", "mean", "p90"))
            between = number(means[model, flux], 2)
            row.append(f"{errors}; {number(of['r2_median'], 2)}; {between}")
        rows.append(row)
    strong = {k for k, row in enumerate(rows) if row[0] == COMPARED[TAMRL]}
    caption = "RMSE (median / mean / 90th percentile over sites); median R²; R² between sites"
    return Table(caption, ["model", *(flux.upper() for flux in FLUX_NAMES)], rows, strong=strong)


def model_table(part: pd.DataFrame, trials: Mapping[str, int]) -> Table:
    """Daily scores of each model, and the skill between sites."""
    means = part[part["scale"] == "site_mean"].set_index(["flux", "model"])
    rows = []
    for flux, model, row in _rows(part[part["scale"] == "daily"], "model"):
        between = means.loc[(flux, model)]
        rows.append([
            SCORED[flux], COMPARED.get(model, model), str(trials.get(model, "–")),
            str(int(row["n_sites"])),
            *(" / ".join(number(row[f"{metric}_{name}"], digits) for name in names)
              for metric, names, digits in (
                  ("rmse", ("median", "mean", "p90"), 3), ("r2", ("median", "mean", "p10"), 2),
                  ("rae", ("median", "mean", "p90"), 2), ("bias", ("median", "mean"), 2))),
            number(row["rmse_pooled"], 2),
            f"{number(between['r2_pooled'], 2)} / {number(between['rmse_pooled'], 2)}",
        ])  # fmt: skip
    columns = [
        "flux", "model", "trials", "sites", "RMSE median / mean / p90", "R² median / mean / p10",
        "RAE median / mean / p90", "bias median / mean", "pooled RMSE", "between sites R² / RMSE",
    ]  # fmt: skip
    return _table("Days of held-out sites", columns, rows)


def scale_table(part: pd.DataFrame, metric: str) -> Table:
    """Median over sites of a metric at each scale; at scale ``site_mean`` that between sites."""
    value = part[f"{metric}_median"].where(part["scale"] != "site_mean", part[f"{metric}_pooled"])
    wide = part.assign(value=value).pivot_table("value", ["flux", "model"], "scale")
    digits = 2 if metric == "r2" else 3
    rows = [
        [SCORED[flux], COMPARED.get(model, model)]
        + [number(row.get(scale, float("nan")), digits) for scale in SCALED]
        for flux, model, row in _rows(wide.reset_index(), "model")
    ]
    name = "R²" if metric == "r2" else "RMSE"
    sites = part.groupby("scale")["n_sites"].max().reindex(list(SCALED)).fillna(0).astype(int)
    counts = ", ".join(f"{label} {sites[scale]}" for scale, label in SCALED.items())
    caption = f"{name} by scale, medians over sites and between sites (sites: {counts})"
    return _table(caption, ["flux", "model", *SCALED.values()], rows)


def difference_table(part: pd.DataFrame) -> Table:
    """TAM-RL against every other model, on days and between sites."""
    means = part[part["scale"] == "site_mean"].set_index(["flux", "baseline"])
    rows = []
    for flux, baseline, row in _rows(part[part["scale"] == "daily"], "baseline"):
        between = means.loc[(flux, baseline)]
        rows.append([
            SCORED[flux], COMPARED.get(baseline, baseline), str(int(row["n_sites"])),
            _interval(row, "rmse_mean_relative", 1, 100),
            _interval(row, "rmse_median_relative", 1, 100), _interval(row, "rmse_paired", 3),
            _interval(row, "r2_median_difference", 3), number(100 * row["better"], 0),
            _interval(between, "r2_pooled_difference", 3),
        ])  # fmt: skip
    columns = [
        "flux", "TAM-RL against", "sites", "mean RMSE, %", "median RMSE, %", "paired RMSE",
        "median R²", "sites won, %", "between-site R²",
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
            medians = [number(median, 2) for median in row["rmse_median"].reindex(models)]
            count = str(int(row["n_sites"].max()))
            rows.append([SCORED[flux], name.get(group, value), count, *medians])
    columns = ["flux", "sites of", "sites", *(COMPARED.get(model, model) for model in models)]
    caption = "Median RMSE by IGBP class, climate, wetland and water, g C m⁻² d⁻¹"
    return Table(caption, columns, rows, text={0, 1}, folded=True)


def cell_table(scores: pd.DataFrame) -> Table:
    """Scores at cells between the towers."""
    rows = [
        [
            SCORED[flux], COMPARED.get(model, model), str(int(row["n_cells"])),
            *(number(row[name], 3) for name in ("r2", "rmse", "bias", "between_r2")),
        ]
        for flux, model, row in _rows(scores, "model")
    ]  # fmt: skip
    columns = ["flux", "model", "cells", "R²", "RMSE", "bias", "between-cell R²"]
    caption = "Days of land cells drawn by area, against the truth (g C m⁻² d⁻¹)"
    return _table(caption, columns, rows)


def read_scores(path: str | Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _rows(table: pd.DataFrame, name: str) -> Iterator[tuple[str, str, pd.Series]]:
    """Flux, model and row, in the order of the tables."""
    found = table.set_index(["flux", name])
    for flux in SCORED:
        for model in ordered(table[name], COMPARED):
            if (flux, model) in found.index:
                yield flux, model, found.loc[(flux, model)]


def _table(caption: str, columns: list[str], rows: list[list[str]]) -> Table:
    highlighted = {k for k, row in enumerate(rows) if row[1] == COMPARED[TAMRL]}
    return Table(caption, columns, rows, text={0, 1}, strong=highlighted)


def _interval(row: pd.Series, name: str, digits: int, factor: float = 1) -> str:
    value, low, high = (factor * row[f"{name}{bound}"] for bound in ("", "_low", "_high"))
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def write_markdown(sections: Sequence[Section], target: str | Path) -> None:
    parts = list(METHOD)
    for section in sections:
        parts.append(f"### {section.title}")
        for table in section.tables:
            align = ["---" if k in table.text else "---:" for k in range(len(table.columns))]
            lines = [table.columns, align]
            for k, row in enumerate(table.rows):
                lines.append([f"**{cell}**" for cell in row] if k in table.strong else row)
            parts += [f"{table.caption}:", "\n".join(f"| {' | '.join(line)} |" for line in lines)]
    with atomic_path(target) as path:
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


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
    """TAM-RL against the best other model of each flux, on days, in the first protocol."""
    if paired.empty:
        return []
    first = paired[paired["protocol"] == ordered(paired["protocol"], HELD_OUT)[0]]
    first = first[first["scale"] == "daily"]
    cards = []
    for flux in FLUX_NAMES:
        part = first[first["flux"] == flux]
        if part["rmse_mean_relative"].notna().any():
            best = part.loc[part["rmse_mean_relative"].idxmax()]
            label = f"mean RMSE of {flux.upper()} against the best other model, "
            label += COMPARED.get(best["baseline"], best["baseline"])
            value = number(100 * best["rmse_mean_relative"], 1)
            cards.append({"value": f"{value} %", "label": label})
    return cards
