"""Names of models and protocols in tables and figures, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MODELS = {
    "tamrl": "TAM-RL",
    "lstm": "LSTM without static inputs",
    "msc": "mean seasonal cycle",
}
"""Models of the validation."""

COMPARED = {
    "tamrl": "TAM-RL",
    "published_tamrl": "TAM-RL as published",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "ct_lstm": "CT-LSTM",
    "lstm": "LSTM",
    "transformer": "transformer",
}
"""Models of the comparison."""

HELD_OUT = {
    "igbp": "sites, by IGBP class",
    "koppen": "sites, by climate",
    "block": "10° blocks",
    "leave_class_out": "entire IGBP classes",
    "leave_continent_out": "entire continents",
    "folds": "folds of the site table",
}
"""Protocols of the comparison, by what is held out."""


def ordered(found: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """The names that were found: labelled ones in the order of `names`, then the others."""
    found = set(found)
    return [name for name in names if name in found] + sorted(found - set(names))
