import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tamflux.errors import ContractError
from tamflux.predictors.static import STATIC_FEATURES
from tamflux.training.checkpoint import ModelSpec, load_checkpoint, save_checkpoint
from tamflux.training.ensemble import Ensemble

LOOKBACK, DAYS, CELLS = 20, 15, 7
SPEC = ModelSpec(
    model="tamrl", hidden_size=6, embedding_size=2, trees=4, lookback_days=LOOKBACK,
    predictors=("t2m", "vpd", "ndvi"), units=("degC", "hPa", "1"),
    static_features=STATIC_FEATURES, mean=(10.0, 5.0, 0.4), sd=(12.0, 4.0, 0.2),
    flux_scale=(4.0, 3.0, 2.0), training_sites=("AA-Aaa",),
)  # fmt: skip


def member(path, seed, **change):
    torch.manual_seed(seed)
    spec = ModelSpec(**{**vars(SPEC), **change})
    network = spec.network()
    for film in (network.film_input, network.film_output):
        torch.nn.init.normal_(film.weight, std=0.3)
    save_checkpoint(path, network, spec)
    return path


@pytest.fixture
def paths(tmp_path):
    return [member(tmp_path / f"m{seed}.safetensors", seed) for seed in range(3)]


@pytest.fixture
def inputs():
    random = np.random.default_rng(0)
    x = random.normal([10, 5, 0.4], [12, 4, 0.2], (CELLS, LOOKBACK + DAYS, 3)).astype(np.float32)
    return x, random.random((CELLS, len(STATIC_FEATURES)), np.float32)


def test_a_checkpoint_gives_back_what_was_saved(paths):
    network, spec = load_checkpoint(paths[0])
    assert spec == SPEC
    for name, tensor in load_file(paths[0]).items():
        torch.testing.assert_close(network.state_dict()[name], tensor)


@pytest.mark.parametrize("scales", [(12.0, 12.0, 12.0), (12.0, 12.0, 9.0), (9.0, 12.0, 9.0)])
def test_mean_and_std_are_those_of_the_members(tmp_path, inputs, scales):
    paths = [
        member(tmp_path / f"{seed}.safetensors", seed, sd=(sd, 4.0, 0.2))
        for seed, sd in enumerate(scales)
    ]
    mean, std, *_ = Ensemble.load(paths).predict(*inputs)
    single = np.stack([Ensemble.load([path]).predict(*inputs).mean for path in paths])
    np.testing.assert_allclose(mean, single.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(std, single.std(axis=0), atol=1e-5)
    assert mean.shape == std.shape == (CELLS, DAYS, 3)


def test_the_mean_balances_and_is_physical(paths, inputs):
    gpp, reco, nee = np.moveaxis(Ensemble.load(paths).predict(*inputs).mean, -1, 0)
    np.testing.assert_allclose(nee, reco - gpp, atol=1e-5)
    assert (gpp >= 0).all() and (reco >= 0).all()


@pytest.mark.parametrize("batch_cells", [1, 3, 7])
def test_the_batch_does_not_matter(paths, inputs, batch_cells):
    ensemble = Ensemble.load(paths)
    np.testing.assert_allclose(
        ensemble.predict(*inputs, batch_cells=batch_cells).mean,
        ensemble.predict(*inputs).mean,
        atol=1e-5,
    )


def test_embeddings_are_those_of_each_member_and_need_the_look_back_window_alone(paths, inputs):
    x, static = inputs
    ensemble = Ensemble.load(paths)
    embeddings = ensemble.embeddings(x, batch_cells=3)
    np.testing.assert_array_equal(ensemble.predict(x, static, batch_cells=3).embeddings, embeddings)
    single = [Ensemble.load([path]).embeddings(x[:, :LOOKBACK]) for path in paths]
    np.testing.assert_allclose(embeddings, np.concatenate(single, axis=1), atol=1e-6)
    assert embeddings.shape == (CELLS, 3 * SPEC.embedding_size) and embeddings.std(axis=0).min() > 0


def test_a_missing_predictor_counts_as_its_training_mean(paths, inputs):
    x, static = inputs
    missing, filled = x.copy(), x.copy()
    missing[:, ::3, 2] = np.nan
    filled[:, ::3, 2] = 0.4
    ensemble = Ensemble.load(paths)
    np.testing.assert_allclose(
        ensemble.predict(missing, static).mean, ensemble.predict(filled, static).mean, atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"predictors": ("t2m", "ndvi", "vpd")}, "predictors"),
        ({"units": ("K", "hPa", "1")}, "units"),
        ({"lookback_days": 10}, "lookback_days"),
    ],
)
def test_members_that_differ_are_refused(tmp_path, paths, change, name):
    other = member(tmp_path / "other.safetensors", 9, **change)
    with pytest.raises(ContractError, match=f"members differ in their {name}"):
        Ensemble.load([*paths, other])


def test_inputs_that_do_not_fit_are_refused(paths, inputs):
    x, static = inputs
    ensemble = Ensemble.load(paths)
    for bad in (
        (x[..., :2], static),
        (x, static[:, :3]),
        (x[:3], static),
        (x[:, :LOOKBACK], static),
    ):
        with pytest.raises(ContractError, match="inputs do not fit the model"):
            ensemble.predict(*bad)


def test_a_damaged_checkpoint_is_named(tmp_path, paths):
    paths[1].write_bytes(paths[1].read_bytes()[:200])
    with pytest.raises(ContractError, match=r"cannot read a checkpoint\n  file: .*m1\.safetensors"):
        Ensemble.load(paths)
    with pytest.raises(ContractError, match="needs a checkpoint"):
        Ensemble.load([])


def test_a_flipped_bit_of_a_weight_is_noticed(paths):
    content = bytearray(paths[0].read_bytes())
    content[-1] ^= 1  # the weights come last
    paths[0].write_bytes(content)
    with pytest.raises(ContractError, match="checksum is not that of the content"):
        load_checkpoint(paths[0])


def test_weights_of_another_shape_are_refused(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "m.safetensors"
    wrong = ModelSpec(**{**vars(SPEC), "hidden_size": 9})
    save_checkpoint(path, SPEC.network(), wrong)
    with pytest.raises(ContractError, match="does not fit this version of the model"):
        load_checkpoint(path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_as_the_cpu(paths, inputs):
    np.testing.assert_allclose(
        Ensemble.load(paths, "cuda").predict(*inputs).mean,
        Ensemble.load(paths, "cpu").predict(*inputs).mean,
        atol=1e-4,
    )
