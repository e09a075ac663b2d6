"""Report of the towers of a site table: scores as Markdown, and a page with every tower."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import tamflux
from tamflux.evaluation.labels import HELD_OUT, ordered
from tamflux.files import atomic_path
from tamflux.report import comparison_report
from tamflux.report.adaptation import curve_section, tower_section
from tamflux.report.page import Section, figure, render

CAPTIONS = {
    "skill": comparison_report.CAPTIONS["skill"],
    "intervals": "Share of the days and means of held-out towers inside their 90 % intervals.",
}


def write_real_towers(
    summary: str | Path,
    sites: str | Path,
    figures: Sequence[str | Path],
    markdown: str | Path,
    page: str | Path,
    *,
    curve: str | Path | None = None,
    drawn_curve: str | Path | None = None,
    series: str | Path | None = None,
) -> None:
    """Write the tables of the real towers as Markdown, and a page with figures and series.

    Parameters
    ----------
    summary : path
        From `score_real_towers`.
    sites : path
        Table of the sites of the samples.
    figures : sequence of path
        PNG files named as `CAPTIONS`.
    markdown, page : path
        Files to write; nothing in the page is loaded from elsewhere.
    curve, drawn_curve, series : path, optional
        From `adaptation_curve` and `plot_adaptation_curve`, where the model is adapted.
    """
    scores = comparison_report.read_scores(summary)
    sections = [
        Section(name, f"Held out: {HELD_OUT[name]}", tables=comparison_report.site_tables(of, {}))
        for name in ordered(scores["protocol"], HELD_OUT)
        for of in [scores[scores["protocol"] == name]]
    ]
    comparison_report.write_markdown(sections, markdown)
    drawn = [figure(Path(path), CAPTIONS) for path in figures]
    sections.insert(0, Section("overview", "Overview", [_METHOD], figures=drawn))
    if series and curve and drawn_curve:
        towers = pd.read_csv(sites, keep_default_na=False, na_values=[""])
        sections += filter(None, [tower_section(pd.read_parquet(series), towers)])
        sections.append(curve_section([curve], drawn_curve))
    content = {
        "title": "TAMFlux at real towers",
        "subtitle": "Daily GPP, RECO and NEE at towers that no model was trained on.",
        "cards": [], "notice": "", "sections": sections,
        "footer": f"Written by TAMFlux {tamflux.__version__}.",
    }  # fmt: skip
    with atomic_path(page) as path:
        path.write_text(render(content), encoding="utf-8")


_METHOD = (
    "Every tower is predicted by an ensemble that was trained without its fold and without its "
    "neighbours. Scored are its days of good quality."
)
