"""Device and precision of training and inference."""

from __future__ import annotations

import numpy as np
import torch

from tamflux.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device of ``auto`` (CUDA if there is one), ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If CUDA is requested and not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            "training.device is cuda, but PyTorch sees no CUDA device",
            found=f"torch {torch.__version__}",
            fix="set training.device to auto or cpu, or install the CUDA build of PyTorch",
        )
    if name.startswith("cuda"):
        # cuDNN would round the inputs of its LSTM to TF32 (10 bits): 1e-3 off the CPU
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)


def to_device(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy an array to a device; to a GPU from pinned memory, without waiting for the copy."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; emulation would be slow."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()  # the public check counts emulation too


def mixed_precision(device: torch.device) -> torch.autocast:
    """Context in which training multiplies matrices in bfloat16 where the device can.

    Weights, their gradients and the loss stay float32; inference does not use it.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))
