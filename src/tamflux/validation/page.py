"""A page of HTML that stands alone: sections of texts, tables and figures."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tamflux.validation.report_tables import Table

WIDE = (
    "tower_series", "map_seasons", "seasonal_cycles", "truth_maps", "truth_scatter",
    "truth_distance", "site_", "interval_", "applicability_",
)  # fmt: skip
"""Figures with small panels: a phone shows them at full size, to be moved sideways."""


@dataclass
class Section:
    """One part of the page."""

    id: str
    title: str
    texts: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    listings: list[dict[str, str]] = field(default_factory=list)


def figure(path: Path, captions: Mapping[str, str]) -> dict[str, Any]:
    """A PNG as base64, its size, its caption and, as text for those who cannot see it, the alt."""
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    caption = " ".join(captions[path.stem].split())
    return {
        "data": base64.b64encode(data).decode("ascii"),
        "width": width,
        "height": height,
        "caption": caption,
        "alt": caption.split(". ")[0].rstrip("."),
        "wide": path.stem.startswith(WIDE),
    }


def render(page: Mapping[str, Any]) -> str:
    """The HTML of a page: title, subtitle, cards, notice, sections and footer, all escaped."""
    environment = Environment(
        loader=PackageLoader("tamflux.validation"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html.j2").render(page)
