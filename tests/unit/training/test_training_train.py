import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy_sites import toy_samples

from tamflux.errors import ContractError, TrainingError
from tamflux.samples.samples import LOOKBACK_DAYS, make_windows
from tamflux.training import device, trainer
from tamflux.training.checkpoint import load_tensors
from tamflux.training.ensemble import Ensemble
from tamflux.training.members import fit_member, member_seed
from tamflux.training.trainer import Trainer, day_weights

MODEL = {"hidden_size": 8, "embedding_size": 2, "trees": 3, "balance_weight": 0.1}
TRAINING = {
    "pretrain_epochs": 1, "epochs": 2, "batch_size": 4, "learning_rate": 0.01, "device": "cpu",
}  # fmt: skip
IN_HARDWARE = device.has_bfloat16(torch.device("cpu"))
LONG_TRAINING = TRAINING | {"epochs": 30}


def fit(folder, samples, sites=None, name="tamrl", seed=1, training=TRAINING):
    sites = samples.sites["site_id"] if sites is None else sites
    fit_member(
        samples, list(sites), folder / "m.safetensors", folder / "m_curve.csv", name=name,
        seed=seed, model=MODEL, training=training, provenance={"code": "x"},
    )  # fmt: skip
    return load_tensors(folder / "m.safetensors")


def equal(a, b):
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def test_same_seed_same_weights_other_seed_other_weights(tmp_path):
    samples = toy_samples(12)
    first, second = fit(tmp_path, samples)[0], fit(tmp_path, samples)[0]
    assert equal(first, second)
    assert not equal(first, fit(tmp_path, samples, seed=2)[0])


def test_a_long_record_weighs_by_the_root_of_its_days():
    samples = toy_samples(12)
    weight = day_weights(samples, 0.5)
    train_idx = np.arange(8)
    of_site = trainer.site_weights(samples, train_idx, weight)
    days = np.bincount(samples.site, (weight > 0).any(axis=1))
    np.testing.assert_allclose(of_site / of_site[0], (days / days[0]) ** -0.5, rtol=1e-6)
    np.testing.assert_allclose(
        np.average(of_site[train_idx], weights=days[train_idx]), 1, rtol=1e-6
    )


@pytest.fixture
def lstm_on_any_processor():
    """LSTM of torch itself, since that of oneDNN needs bfloat16 in hardware."""
    with torch.backends.mkldnn.flags(enabled=IN_HARDWARE):
        yield


class Killed(Exception):
    pass


@pytest.mark.usefixtures("lstm_on_any_processor")
@pytest.mark.parametrize(("epoch", "bfloat16"), [(1, False), (2, True), (2, False)])
def test_a_stopped_training_resumes_to_the_same_weights(tmp_path, monkeypatch, epoch, bfloat16):
    for module in (device, trainer):
        monkeypatch.setattr(module, "has_bfloat16", lambda device: bfloat16)
    samples = toy_samples(12)
    (tmp_path / "complete").mkdir()
    complete = fit(tmp_path / "complete", samples)[0]
    run_epoch, runs = Trainer.run_epoch, []

    def killed_after(self):
        if len(runs) == epoch:
            raise Killed
        runs.append(1)
        return run_epoch(self)

    monkeypatch.setattr(Trainer, "run_epoch", killed_after)
    with pytest.raises(Killed):
        fit(tmp_path, samples)
    assert (tmp_path / ".m.resume.safetensors").exists()
    assert not (tmp_path / "m.safetensors").exists()
    monkeypatch.setattr(Trainer, "run_epoch", run_epoch)
    assert equal(fit(tmp_path, samples)[0], complete)
    assert not (tmp_path / ".m.resume.safetensors").exists()
    curve = pd.read_csv(tmp_path / "m_curve.csv")
    assert list(curve["epoch"]) == [1, 2, 3]
    assert list(curve["stage"]) == ["pretrain", "joint", "joint"]


def _epoch(state):
    """Epoch of a state that another process may replace while this one reads it; else -1.

    The library opens the file by its name once for the header and once for the tensors.
    """
    try:
        return load_tensors(state)[1]["epoch"] if state.exists() else -1
    except ContractError:
        return -1


def test_a_training_killed_at_random_moments_ends_with_the_same_weights(tmp_path):
    """The process gets SIGKILL, whatever it is doing: computing, writing its state, validating."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "import test_training_train as t;"
        "t.fit(Path(sys.argv[2]), t.toy_samples(12), training=t.LONG_TRAINING)"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    state = tmp_path / ".m.resume.safetensors"
    random = np.random.default_rng()
    reached = 0
    for _ in range(2):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        goal = reached + random.integers(1, 4)
        while _epoch(state) < goal:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(random.uniform(0, 0.2))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        reached = load_tensors(state)[1]["epoch"]
    (tmp_path / "complete").mkdir()
    samples = toy_samples(12)
    complete = fit(tmp_path / "complete", samples, training=LONG_TRAINING)
    resumed = fit(tmp_path, samples, training=LONG_TRAINING)
    assert equal(resumed[0], complete[0]) and resumed[1] == complete[1]


@pytest.mark.usefixtures("lstm_on_any_processor")
def test_mixed_precision_learns_the_same(tmp_path, monkeypatch):
    """bfloat16 has 8 significant bits: the losses agree to that, and weights stay float32.

    Autocast rounds to bfloat16 on any processor; only the speed depends on the hardware.
    """
    samples, losses = toy_samples(12), {}
    for bfloat16 in (False, True):
        monkeypatch.setattr(device, "has_bfloat16", lambda device, found=bfloat16: found)
        weights, _ = fit(tmp_path, samples)
        floating = [tensor for tensor in weights.values() if tensor.is_floating_point()]
        assert all(tensor.dtype == torch.float32 for tensor in floating)
        losses[bfloat16] = pd.read_csv(tmp_path / "m_curve.csv")["loss"].to_numpy()
    np.testing.assert_allclose(losses[True], losses[False], rtol=0.03)
    assert (losses[True] != losses[False]).any()


def test_the_state_of_another_training_is_not_used(tmp_path, monkeypatch):
    run_epoch = Trainer.run_epoch

    def once(self):
        if self.epoch == 1:
            raise Killed
        return run_epoch(self)

    monkeypatch.setattr(Trainer, "run_epoch", once)
    with pytest.raises(Killed):
        fit(tmp_path, toy_samples(12, seed=5))
    monkeypatch.undo()
    (tmp_path / "complete").mkdir()
    samples = toy_samples(12)
    assert equal(fit(tmp_path, samples)[0], fit(tmp_path / "complete", samples)[0])


def test_a_damaged_state_is_not_used(tmp_path):
    (tmp_path / ".m.resume.safetensors").write_bytes(b"half")
    (tmp_path / "complete").mkdir()
    samples = toy_samples(12)
    assert equal(fit(tmp_path, samples)[0], fit(tmp_path / "complete", samples)[0])


def test_fluxes_of_held_out_sites_change_nothing(tmp_path):
    samples = toy_samples(12)
    training_sites = samples.sites["site_id"][:10]
    first = fit(tmp_path, samples, training_sites)
    spoiled = samples.y.copy()
    spoiled[samples.site >= 10] = 40
    second = fit(tmp_path, replace(samples, y=spoiled), training_sites)
    assert equal(first[0], second[0])
    assert first[1] == second[1]
    assert first[1]["training_sites"] == list(training_sites)


def test_scaling_is_that_of_the_training_days(tmp_path):
    samples = toy_samples(12)
    _, header = fit(tmp_path, samples)
    np.testing.assert_allclose(header["mean"], samples.x.mean(axis=0), rtol=1e-5)
    used = samples.y[samples.qc >= 0.5]
    np.testing.assert_allclose(header["flux_scale"], used.std(axis=0), rtol=1e-5)


def test_days_of_poor_quality_do_not_train():
    samples = toy_samples(2)
    samples.qc[:5] = [0, 0.4, 0.5, 0.8, 1]
    samples.y[4, 0] = np.nan
    weight = day_weights(samples, min_qc=0.5)
    np.testing.assert_allclose(weight[:5, 1], [0, 0, 0.5, 0.8, 1])
    assert weight[4, 0] == 0


def test_days_outside_the_training_years_weigh_as_days_without_quality():
    samples = toy_samples(2)
    samples.qc[:] = 0.8
    other = replace(samples, train_years=(int(samples.year[0]),))
    zero = replace(samples, qc=np.where(samples.year == samples.year[0], samples.qc, 0))
    assert (samples.year != samples.year[0]).any()
    np.testing.assert_array_equal(day_weights(other, 0.5), day_weights(zero, 0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.qc.fill(0), "too few sites with fluxes"),
        (lambda s: s.y[:, 1].fill(2.0), "a flux does not vary.*\n.*reco"),
        (lambda s: s.y[:, 0].fill(np.nan), "a flux does not vary.*\n.*gpp"),
        (lambda s: s.x[:, 1].fill(7), "cannot train a model\n  variable: ssrd\n.*the same value"),
        (lambda s: s.x[:, 0].fill(np.nan), "variable: t2m\n.*no value at any"),
        (lambda s: s.x.__setitem__((3, 0), np.inf), "variable: t2m\n.*1 infinite values"),
    ],
)
def test_unusable_data_stops_before_any_step(tmp_path, change, message):
    samples = toy_samples(4)
    change(samples)
    with pytest.raises(TrainingError, match=message):
        fit(tmp_path, samples)
    assert not list(tmp_path.iterdir())


def test_member_seeds_differ():
    seeds = {member_seed(42, model, m) for model in ("tamrl", "lstm") for m in range(50)}
    assert len(seeds) == 100
    assert member_seed(42, "tamrl", 0) != member_seed(43, "tamrl", 0)


def test_the_task_embedding_finds_a_trait_at_held_out_sites(tmp_path):
    """TAM-RL reads the trait off the look-back window; the plain LSTM cannot."""
    samples = toy_samples(60)
    training_sites = samples.sites["site_id"][:45]
    windows = make_windows(samples)
    windows = windows.select((windows.year == 2002) & (windows.site >= 45))
    x = samples.x[windows.rows[:, : LOOKBACK_DAYS + 365]]
    truth = samples.y[windows.rows[:, LOOKBACK_DAYS : LOOKBACK_DAYS + 365], 0]
    error = {}
    for name in ("tamrl", "lstm"):
        training = TRAINING | {"epochs": 25, "batch_size": 8}
        fit(tmp_path, samples, training_sites, name=name, training=training)
        gpp = Ensemble.load([tmp_path / "m.safetensors"]).predict(x, samples.static[windows.site])
        error[name] = np.sqrt(np.mean((gpp.mean[..., 0] - truth) ** 2))
    assert error["tamrl"] < 0.5 * error["lstm"]
