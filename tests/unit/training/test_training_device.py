"""Choice of device and precision, with the hardware pretended: the same on every machine."""

import numpy as np
import pytest
import torch

from tamflux.errors import ConfigError
from tamflux.training import device
from tamflux.training.device import choose_device, has_bfloat16, mixed_precision, to_device


@pytest.fixture(autouse=True)
def cudnn_as_before():
    with torch.backends.cudnn.flags(allow_tf32=True):
        yield


def pretend(monkeypatch, cuda=False, cuda_bfloat16=False, cpu_bfloat16=False):
    def is_bf16_supported(including_emulation=True):
        return cuda_bfloat16 or including_emulation  # as torch, which counts emulation by default

    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu_bfloat16)


@pytest.mark.parametrize(
    ("name", "cuda", "expected"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_the_device_is_the_named_or_the_best_one(monkeypatch, name, cuda, expected):
    pretend(monkeypatch, cuda=cuda)
    assert choose_device(name).type == expected


def test_an_lstm_on_a_gpu_is_not_rounded_to_tf32(monkeypatch):
    pretend(monkeypatch, cuda=True)
    choose_device("cpu")
    assert torch.backends.cudnn.allow_tf32
    choose_device("auto")
    assert not torch.backends.cudnn.allow_tf32


def test_cuda_where_there_is_none_is_refused(monkeypatch):
    pretend(monkeypatch, cuda=False)
    with pytest.raises(ConfigError, match="PyTorch sees no CUDA device"):
        choose_device("cuda")


@pytest.mark.parametrize("in_hardware", [True, False])
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_bfloat16_is_used_where_the_hardware_multiplies_it(monkeypatch, kind, in_hardware):
    pretend(monkeypatch, cuda=True, **{f"{kind}_bfloat16": in_hardware})
    assert has_bfloat16(torch.device(kind)) == in_hardware


@pytest.mark.parametrize("bfloat16", [True, False])
def test_mixed_precision_multiplies_in_bfloat16_alone_where_it_is_used(monkeypatch, bfloat16):
    monkeypatch.setattr(device, "has_bfloat16", lambda device: bfloat16)
    a = torch.full((2, 2), 1 + 2**-12)  # bfloat16 rounds it to 1
    with mixed_precision(torch.device("cpu")):
        product = a @ a
    assert product.dtype == (torch.bfloat16 if bfloat16 else torch.float32)
    assert (product == 2).all() == bfloat16


def test_a_copy_to_the_device_has_the_values():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(to_device(values, torch.device("cpu")).numpy(), values)
