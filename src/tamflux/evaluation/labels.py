"""Names of models, protocols, fluxes and scales in tables and figures, in their order."""

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
    "lstm_trees": "mean of LSTM and trees",
    "catboost": "CatBoost",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "continuous_lstm": "continuous LSTM",
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
    "zero_shot": "sites of the second table",
}
"""Protocols of the comparison, by what is held out."""

SCORED = {"gpp": "GPP", "gpp_dt": "GPP, daytime", "reco": "RECO", "nee": "NEE"}
"""Scored fluxes; GPP is by nighttime partitioning unless said otherwise."""

SCALED = {
    "daily": "daily",
    "weekly": "weekly",
    "monthly": "monthly",
    "seasonal": "mean seasonal cycle",
    "anomaly": "anomaly",
    "interannual": "interannual",
    "site_mean": "between sites",
}
"""Scales of the scores; see `tamflux.evaluation.scales`."""


def ordered(found: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """The names that were found: labelled ones in the order of `names`, then the others."""
    found = set(found)
    return [name for name in names if name in found] + sorted(found - set(names))
