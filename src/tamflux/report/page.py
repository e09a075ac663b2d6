"""A self-contained HTML page: sections of texts, tables and figures, and an interactive map.

Every string is escaped. A content security policy allows the page's own scripts only, and no
request.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tamflux.report.tables import Table

WIDE = (
    "tower_series", "map_seasons", "seasonal_cycles", "truth_maps", "truth_scatter",
    "truth_distance", "site_", "interval_", "applicability_", "reference_",
)  # fmt: skip
"""Figures with small panels: a phone shows them at full size, scrolled sideways."""


@dataclass
class Section:
    """One part of the page; `explorer` is the data of the interactive map, `towers` of the chooser
    of towers."""

    id: str
    title: str
    texts: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    listings: list[dict[str, str]] = field(default_factory=list)
    explorer: dict[str, Any] | None = None
    towers: dict[str, Any] | None = None


def figure(path: Path, captions: Mapping[str, str]) -> dict[str, Any]:
    """A PNG as base64, its size, its caption, and the alternative text for screen readers."""
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
        loader=PackageLoader("tamflux.report"), autoescape=True, undefined=StrictUndefined
    )
    parts = [name for name in ("explorer", "towers") if _has(page["sections"], name)]
    names = ["tables.js", *["unpack.js"][: len(parts)], *(f"{name}.js" for name in parts)]
    scripts = [_template(name) for name in names]
    sums = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in sums)
    return environment.get_template("report.html.j2").render(
        **page,
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files, no data
        policy=f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'",
    )


def _has(sections: Sequence[Section], part: str) -> bool:
    return any(getattr(section, part) for section in sections)


def _template(name: str) -> str:
    return (files("tamflux.report") / "templates" / name).read_text(encoding="utf-8")
