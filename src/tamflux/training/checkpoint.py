"""Checkpoints: weights and everything needed to use them, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tamflux.errors import ContractError
from tamflux.files import atomic_path
from tamflux.model.components import COMPONENTS_OF_MODEL, Components
from tamflux.model.tamrl import Light, TamRL
from tamflux.training.absent import absence_groups, optional_statics
from tamflux.variables import FLUXES


@dataclass(frozen=True)
class ModelSpec:
    """Specification of a model, stored with its weights (JSON in the header of the file).

    Attributes
    ----------
    model : str
        ``tamrl``, ``lstm`` or ``tamrl_without_...``; see `COMPONENTS_OF_MODEL`.
    hidden_size, embedding_size, trees, lookback_days : int
        Sizes of the network, number of its trees, length of the look-back window.
    predictors, units, static_features : tuple of str
        Features in their order, and the units of the predictors.
    monthly : tuple of str
        Predictors that are means over calendar months (`tamflux.predictors.monthly`).
    optional : tuple of str
        Predictors that a site or grid cell may lack altogether (`tamflux.training.absent`).
    mean, sd : tuple of float
        Mean and standard deviation of each predictor over the training sites, in its unit.
    static_mean, static_sd : tuple of float
        Likewise of the static features; 0 and 1 of those that the model takes as they are.
    flux_scale : tuple of float
        Standard deviation of gpp, reco, nee, g C m-2 d-1.
    training_sites : tuple of str
        Sites whose fluxes were used.
    provenance : dict
        Seed, split, settings, code identity.
    """

    model: str
    hidden_size: int
    embedding_size: int
    trees: int
    lookback_days: int
    predictors: tuple[str, ...]
    units: tuple[str, ...]
    static_features: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    flux_scale: tuple[float, ...]
    training_sites: tuple[str, ...]
    monthly: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    static_mean: tuple[float, ...] = ()
    static_sd: tuple[float, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def absence_groups(self) -> tuple[tuple[int, ...], ...]:
        """Features of each group of predictors that are absent together."""
        return absence_groups(self.predictors, self.optional)

    @property
    def optional_statics(self) -> tuple[int, ...]:
        """Static features that a site or grid cell may lack."""
        return optional_statics(self.static_features)

    def network(self) -> TamRL:
        """Build a network of this shape with initial weights."""
        light = None
        if "ssrd" in self.predictors:
            number = self.predictors.index("ssrd")
            light = Light(number, self.mean[number], self.sd[number])
        return TamRL(
            features=len(self.predictors),
            static_features=len(self.static_features)
            + len(self.optional_statics)
            + len(self.absence_groups),
            hidden_size=self.hidden_size,
            embedding_size=self.embedding_size,
            flux_scale=torch.tensor(self.flux_scale, dtype=torch.float32),
            light=light,
            trees=self.trees,
            components=components_of(self.model),
        )

    def scale(self, x: np.ndarray) -> np.ndarray:
        """Standardised float32 predictors (..., feature), from catalogue units; 0 where missing."""
        mean, sd = torch.tensor(self.mean), torch.tensor(self.sd)
        x = np.require(x, np.float32, ["W"])  # torch wants to be able to write
        scaled = torch.from_numpy(x).sub(mean).div_(sd)  # torch is faster than numpy
        return scaled.nan_to_num_(nan=0.0).numpy()

    def scale_static(self, static: np.ndarray) -> np.ndarray:
        """Standardised float32 static features (n, feature), then the indicators of absent ones."""
        scaled = np.asarray(static, np.float32)
        if self.static_mean:
            mean, sd = np.array([self.static_mean, self.static_sd], np.float32)
            scaled = (scaled - mean) / sd
        absent = np.isnan(scaled[:, list(self.optional_statics)]).astype(np.float32)
        return np.concatenate([np.nan_to_num(scaled), absent], axis=1)


MAX_SIZE = 100_000
"""Upper bound of any size, so that a damaged header cannot exhaust the memory."""


def _check_spec(spec: ModelSpec) -> None:
    """Raise ValueError where the fields of a spec, as read from JSON, are not valid."""
    for name in ("hidden_size", "embedding_size", "lookback_days"):
        value = getattr(spec, name)
        if type(value) is not int or not 0 <= value <= MAX_SIZE:
            raise ValueError(f"{name} is {value!r}")
    for name in ("predictors", "units", "static_features", "training_sites", "optional"):
        if not all(isinstance(text, str) for text in getattr(spec, name)):
            raise ValueError(f"{name} are not names")
    n = len(spec.predictors)
    sizes = {"units": n, "mean": n, "sd": n, "flux_scale": len(FLUXES)}
    for name, size in sizes.items():
        values = getattr(spec, name)
        if len(values) != size or (name != "units" and not np.isfinite(values).all()):
            raise ValueError(f"{name} are not {size} numbers")
    if {len(spec.static_mean), len(spec.static_sd)} not in ({0}, {len(spec.static_features)}):
        raise ValueError("the scales of static features are not as many as these")
    if not {*spec.monthly} <= {*spec.predictors}:
        raise ValueError("monthly names are not predictors")
    if not np.isfinite([*spec.static_mean, *spec.static_sd]).all():
        raise ValueError("static_mean or static_sd are not numbers")
    if min(*spec.sd, *spec.flux_scale, *spec.static_sd) <= 0:
        raise ValueError("a scale is not above zero")


def components_of(model: str) -> Components:
    """Components of the model of this name.

    Raises
    ------
    ContractError
        If there is no such model.
    """
    if model not in COMPONENTS_OF_MODEL:
        raise ContractError(
            "there is no such model", found=model, expected=", ".join(COMPONENTS_OF_MODEL)
        )
    return COMPONENTS_OF_MODEL[model]


def save_tensors(path: str | Path, tensors: Mapping[str, torch.Tensor], header: Any) -> None:
    """Write tensors, a JSON header and the checksum of both, atomically."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    record = {"header": header, "sha256": _checksum(contiguous, header)}
    # one entry: the library writes several in an order that changes from run to run
    metadata = {"tamflux": json.dumps(record, sort_keys=True)}
    with atomic_path(path) as partial:
        save_file(contiguous, partial, metadata=metadata)


def _checksum(tensors: Mapping[str, torch.Tensor], header: Any) -> str:
    """SHA-256 of names, shapes, types and values of tensors and of the header."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], Any]:
    """Read a file that `save_tensors` wrote.

    Raises
    ------
    ContractError
        If the file is not there, damaged, or not of this project.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        record = json.loads(metadata["tamflux"])
        if record["sha256"] != _checksum(tensors, record["header"]):
            raise ValueError("the checksum is not that of the content")
        return tensors, record["header"]
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise ContractError(
            "cannot read a checkpoint",
            file=path,
            found=f"{type(error).__name__}: {error}",
            expected="a safetensors file written by the training stage",
            fix="delete it and run snakemake again: the member is trained again",
        ) from error


def save_checkpoint(path: str | Path, network: TamRL, spec: ModelSpec) -> None:
    """Write a trained network."""
    save_tensors(path, network.state_dict(), asdict(spec))


def load_checkpoint(path: str | Path) -> tuple[TamRL, ModelSpec]:
    """Read a trained network, ready to predict.

    Raises
    ------
    ContractError
        If the file is damaged, or weights and spec do not fit together.
    """
    tensors, header = load_tensors(path)
    try:
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in header.items()
        }
        spec = ModelSpec(**fields)
        _check_spec(spec)
        network = spec.network()
        network.load_state_dict(tensors)
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise ValueError("some weights are not finite")
    except (TypeError, RuntimeError, AttributeError, ValueError, LookupError) as error:
        raise ContractError(
            "a checkpoint does not fit this version of the model",
            file=path,
            found=(str(error) or type(error).__name__).splitlines()[0],
            fix="delete it and run snakemake again: the member is trained again",
        ) from error
    return network.eval(), spec
