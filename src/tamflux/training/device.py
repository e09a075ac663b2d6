"""Where the network runs."""

from __future__ import annotations

import torch

from tamflux.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device of ``auto`` (CUDA if there is one), ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If CUDA is asked for and not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            "training.device is cuda, but PyTorch sees no CUDA device",
            found=f"torch {torch.__version__}",
            fix="set training.device to auto or cpu, or install the CUDA build of PyTorch",
        )
    return torch.device(name)
