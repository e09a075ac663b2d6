"""Adaptation against the textbook posterior, and what it must never do."""

import numpy as np
import pandas as pd
import pytest

from tamflux.adaptation.correction import DAYS_PER_INDEPENDENT, HALF_WIDTH, Correction
from tamflux.adaptation.curve import curve_summary
from tamflux.adaptation.features import N_COEFFICIENTS, N_CONDITIONS, design_matrix
from tamflux.errors import ContractError

DAYS = 400


def make_sites(sites=30, seed=0, noise=0.3):
    """Sites whose gpp and reco are the predicted ones times factors of their own, with noise."""
    random = np.random.default_rng(seed)
    day = np.tile(np.arange(DAYS), sites)
    season = 1 + np.sin(2 * np.pi * day / 365)
    gpp, reco = 4 * season + 0.5, 2 * season + 1
    fluxes = np.stack([gpp, reco, reco - gpp], axis=1)
    site = np.repeat(np.arange(sites), DAYS)
    factor = 1 + 0.3 * random.normal(size=(sites, 2))
    observed = fluxes.copy()
    observed[:, :2] *= factor[site]
    observed[:, :2] += noise * random.normal(size=(sites * DAYS, 2))
    observed[:, 2] = observed[:, 1] - observed[:, 0]
    conditions = random.normal(size=(sites * DAYS, N_CONDITIONS))
    conditions[:, -2:] = np.stack([np.sin(day / 58), np.cos(day / 58)], axis=1)
    return fluxes, observed, conditions, site, factor


def rmse(a, b):
    return np.sqrt(np.square(a - b).mean(axis=0))


@pytest.fixture(scope="module")
def prior():
    return Correction.learn(*make_sites()[:4])


def test_the_design_is_shares_of_the_flux_and_seasonal_offsets():
    fluxes = np.array([[2.0, 4.0, 2.0]])
    conditions = np.arange(1.0, N_CONDITIONS + 1)[None]
    x = design_matrix(fluxes, conditions)
    assert x.shape == (1, 3, N_COEFFICIENTS)
    for k, size in enumerate((2.0, 4.0, 3.0)):
        np.testing.assert_allclose(x[0, k, : 1 + N_CONDITIONS], size * np.r_[1, conditions[0]])
        np.testing.assert_allclose(x[0, k, 1 + N_CONDITIONS :], [1, 5, 9, 10])


def test_without_days_nothing_changes_and_with_days_it_is_the_textbook_posterior(prior):
    fluxes, observed, conditions, site, _ = make_sites(seed=1)
    one = site == 3
    same, _ = prior.apply(fluxes[one], conditions[one])
    np.testing.assert_allclose(same, fluxes[one])
    used = np.flatnonzero(one)[:50]
    posterior = prior.adapt(fluxes[used], observed[used], conditions[used])
    # Gaussian conditioning in the space of the data: m = S X' (X S X' + N)^-1 e
    scale = np.sqrt(fluxes[used, 0] + fluxes[used, 1] + 1)
    for k in range(3):
        x = design_matrix(fluxes[used], conditions[used])[:, k] / scale[:, None]
        error = (observed[used, k] - fluxes[used, k]) / scale
        s, n = prior.covariance[k], prior.noise[k] * DAYS_PER_INDEPENDENT * np.eye(50)
        gain = s @ x.T @ np.linalg.inv(x @ s @ x.T + n)
        np.testing.assert_allclose(posterior.mean[k], gain @ error, atol=1e-6)
        np.testing.assert_allclose(posterior.covariance[k], s - gain @ x @ s, atol=1e-6)


def test_errors_fall_and_intervals_shrink_to_the_noise_and_no_further(prior):
    fluxes, observed, conditions, site, _ = make_sites(seed=2)
    one = np.flatnonzero(site == 5)
    test = one[365:]
    before, width_before = prior.apply(fluxes[test], conditions[test])
    errors, widths = [rmse(before, observed[test])], [width_before.mean()]
    for n in (30, 365):
        used = one[:n]
        adapted = prior.adapt(fluxes[used], observed[used], conditions[used])
        after, width = adapted.apply(fluxes[test], conditions[test])
        np.testing.assert_allclose(after[:, 2], after[:, 1] - after[:, 0], atol=1e-12)
        errors.append(rmse(after, observed[test]))
        widths.append(width.mean())
        noise = np.sqrt(prior.noise) * np.sqrt(fluxes[test, 0] + fluxes[test, 1] + 1)[:, None]
        assert (width >= HALF_WIDTH * noise).all()
    assert (errors[2] < errors[0]).all() and widths[2] < widths[1] < widths[0]


def test_the_spread_of_the_sites_is_recovered(prior):
    # the share of gpp is drawn with a standard deviation of 0.3
    assert np.sqrt(prior.covariance[0][0, 0]) == pytest.approx(0.3, rel=0.35)
    assert prior.noise[0] == pytest.approx(0.09 / 7.5, rel=0.8)


def test_intervals_hold_nine_of_ten_days_of_new_sites(prior):
    fluxes, observed, conditions, site, _ = make_sites(sites=40, seed=3)
    inside = []
    for number in range(40):
        one = np.flatnonzero(site == number)
        adapted = prior.adapt(fluxes[one[:90]], observed[one[:90]], conditions[one[:90]])
        after, width = adapted.apply(fluxes[one[90:]], conditions[one[90:]])
        inside.append((np.abs(after - observed[one[90:]]) <= width).mean(axis=0))
    assert (np.mean(inside, axis=0) > 0.8).all()


def test_missing_days_are_left_out(prior):
    fluxes, observed, conditions, site, _ = make_sites(seed=4)
    used = np.flatnonzero(site == 0)[:60]
    gaps = observed.copy()
    gaps[used[::2], 2] = np.nan
    with_gaps = prior.adapt(fluxes[used], gaps[used], conditions[used])
    without = prior.adapt(fluxes[used[1::2]], observed[used[1::2]], conditions[used[1::2]])
    np.testing.assert_allclose(with_gaps.mean, without.mean)


def test_saved_and_read_again(prior, tmp_path):
    path = tmp_path / "correction.json"
    prior.save(path, {"sites": 30})
    again = Correction.load(path)
    np.testing.assert_allclose(again.covariance, prior.covariance)
    path.write_text(path.read_text().replace("noise", "nose"))
    with pytest.raises(ContractError, match="cannot read the distribution"):
        Correction.load(path)
    with pytest.raises(ContractError, match="too few sites"):
        Correction.learn(*(part[:50] for part in make_sites()[:4]))


def test_the_summary_compares_the_same_sites():
    rows = [
        ("A", "none", "first", 0, "gpp", 2.0), ("B", "none", "first", 0, "gpp", 4.0),
        ("A", "correction", "first", 30, "gpp", 1.0), ("B", "correction", "first", 30, "gpp", 3.0),
        ("A", "correction", "winter", 90, "gpp", 1.0),
    ]  # fmt: skip
    curve = pd.DataFrame(rows, columns=["site_id", "method", "draw", "days", "flux", "rmse"])
    table = curve_summary(curve.assign(inside=0.9, half_width=1.0)).set_index(["draw", "days"])
    assert table.loc[("first", 30), "change"].item() == pytest.approx(100 * (2 / 3 - 1))
    assert table.loc[("winter", 90), "change"].item() == pytest.approx(-50)  # against A alone
    assert table.loc[("winter", 90), "sites"].item() == 1
