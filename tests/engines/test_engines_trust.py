"""Temperature and applicability on every way of computing, against numpy in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from engine_networks import FINE, ROUGH, land, logits, network, pixels, shares, trained
from scipy.spatial.distance import cdist

from landmix.core.scaling import normalise
from landmix.engines.engine import BESIDES, FULL, INSIDE, SHARES, EngineSpec, Trust, Wanted
from landmix.engines.gpu_torch import GpuEngine
from landmix.engines.load import Engines
from landmix.nn.reference import Reference, WithFeatures

if TYPE_CHECKING:
    from engine_networks import Pixels
    from numpy.typing import NDArray

    from landmix.nn.network import Network

FLOATS = Wanted(shares=BESIDES, coded=False)


def features(net: Network, given: Pixels) -> NDArray[np.float64]:
    """What the encoder finds in the owned pixels, (H, W, D)."""
    m = net.margin
    with torch.inference_mode():
        found = net.encoder(torch.from_numpy(normalise(*given))[None])[0]
    whole = np.moveaxis(found.numpy().astype(np.float64), 0, 2)
    return np.asarray(whole[m : found.shape[1] - m, m : found.shape[2] - m])


def reference(net: Network, given: Pixels, count: int = 40, threshold: float = 0.3) -> Reference:
    """Some of the pixels themselves as points."""
    own = features(net, given).reshape(-1, features(net, given).shape[-1])
    mean, scale = own.mean(0), 1 / np.maximum(own.std(0), 0.05)
    points = ((own - mean) * scale)[np.random.default_rng(0).choice(len(own), count, replace=False)]
    tensors = (torch.tensor(part, dtype=torch.float32) for part in (mean, scale, points))
    distance = float(cdist(points, points).mean())
    return Reference(
        **dict(zip(("mean", "scale", "points"), tensors, strict=True)), distance=distance, threshold=threshold
    )


def applicability(net: Network, given: Pixels, known: Reference) -> NDArray[np.float64]:
    """The nearest of all points, by their differences."""
    found = features(net, given)
    moved = (found.reshape(-1, found.shape[-1]) - known.mean.numpy()) * known.scale.numpy()
    nearest = cdist(moved, known.points.numpy().astype(np.float64)).min(1) / known.distance
    return np.asarray((nearest / known.threshold).reshape(found.shape[:2]))


def close(found: NDArray[np.float32], expected: NDArray[np.float64]) -> None:
    """The root of a difference of large numbers has fewest digits near 0."""
    np.testing.assert_allclose(found[expected > 0.1], expected[expected > 0.1], atol=1e-4)
    np.testing.assert_allclose(found, expected, atol=0.01)


def owned(net: Network, given: Pixels) -> NDArray[np.bool_]:
    m = net.margin
    return given[1][m : given[1].shape[0] - m, m : given[1].shape[1] - m]


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_a_temperature_changes_shares_and_no_class(spec: EngineSpec, temperature: float) -> None:
    net, given = network(blocks=2), pixels(3, 40, 45)
    plain = Engines(net, spec).get(Wanted(shares=SHARES, coded=False))(*given)
    found = Engines(net, spec, trust=Trust(temperature=temperature)).get(Wanted(shares=SHARES, coded=False))(*given)
    np.testing.assert_array_equal(found.index, plain.index)
    if spec.precision == "fp32":
        expected = shares(logits(net, given) / np.float32(temperature))
        for name, values in found.shares.items():
            valid = owned(net, given)
            np.testing.assert_allclose(values[:, valid], expected[name][:, valid], atol=1e-5)
    less = found.shares["confidence"].mean() - plain.shares["confidence"].mean()
    assert (less > 0) == (temperature < 1)


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize(("blocks", "height", "width"), [(0, 9, 130), (2, 40, 45), (2, 150, 131)])
def test_applicability_is_the_distance_to_the_nearest_point(
    spec: EngineSpec, blocks: int, height: int, width: int
) -> None:
    net, given = network(blocks=blocks), pixels(3, height, width)
    known = reference(net, given)
    found = Engines(net, spec, trust=Trust(reference=known)).get(FLOATS)(*given)
    assert list(found.shares) == list(BESIDES)
    assert found.shares["applicability"].dtype == np.float32
    valid = owned(net, given)
    close(found.shares["applicability"][0][valid], applicability(net, given, known)[valid])


def real(spectra: Any, height: int, width: int, seed: int = 3) -> Pixels:
    """Fields as the network was trained on, stored in hundredths, and ground that it has never seen."""
    _, seen = land(spectra, height, width, seed)
    seen[:, : height // 3] += 2
    ones = np.ones(len(seen), np.float32)
    stored = (1000 * seen).astype(np.int16)
    valid: NDArray[np.bool_] = np.ones(stored.shape[1:], np.bool_)
    return stored, valid, ones / np.float32(1000), 0 * ones


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
def test_few_bits_in_the_network_are_not_few_bits_in_the_distance(spec: EngineSpec) -> None:
    net, spectra = trained()
    given = real(spectra, 90, 95)
    known = reference(net, given)
    found = Engines(net, spec, trust=Trust(reference=known)).get(FLOATS)(*given).shares["applicability"][0]
    expected = applicability(net, given, known)
    error = np.abs(found - expected)[expected < 2]
    assert error.size > 1000
    assert np.quantile(error, 0.9) <= (1e-3 if spec.precision == "fp32" else 0.02)
    assert ((found > 1) == (expected > 1)).mean() > 0.99


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
def test_pieces_of_any_size_give_the_same(spec: EngineSpec) -> None:
    net, given = network(blocks=2), pixels(3, 103, 211)
    known = reference(net, given)
    trust = Trust(reference=known, temperature=1.3)
    whole = Engines(net, spec, trust=trust).get(FLOATS)(*given)
    for tile in (17, 61, 400):
        found = Engines(net, replace(spec, tile=tile), trust=trust).get(FLOATS)(*given)
        valid = owned(net, given)
        for name, values in found.shares.items():
            np.testing.assert_array_equal(values[:, valid], whole.shares[name][:, valid], err_msg=name)


@pytest.mark.parametrize("spec", FINE)
def test_flips_leave_applicability_as_it_is(spec: EngineSpec) -> None:
    net, given = network(blocks=2), pixels(3, 40, 45)
    trust, wanted = Trust(reference=reference(net, given)), Wanted(shares=("applicability",), coded=False)
    plain, flipped = (Engines(net, spec, trust=trust, flips=flips).get(wanted)(*given) for flips in (False, True))
    valid = owned(net, given)
    np.testing.assert_allclose(
        plain.shares["applicability"][0][valid], flipped.shares["applicability"][0][valid], atol=1e-5
    )


@pytest.mark.parametrize("spec", FINE)
def test_codes_end_at_twice_the_threshold(spec: EngineSpec) -> None:
    net, given = network(blocks=1), pixels(3, 60, 60)
    trust = Trust(reference=reference(net, given, count=5, threshold=0.2))
    exact, coded = (
        Engines(net, spec, trust=trust).get(Wanted(shares=("applicability",), coded=c))(*given).shares["applicability"]
        for c in (False, True)
    )
    valid = owned(net, given)
    assert exact[0][valid].max() > 2 > exact[0][valid].min()
    assert coded.dtype == np.uint8
    np.testing.assert_allclose(coded[0][valid], np.minimum(INSIDE * exact[0][valid], FULL), atol=0.5 + 1e-3)


def test_a_gpu_computes_it_in_batches() -> None:
    net, given = network(blocks=2), pixels(3, 160, 130)
    spec = EngineSpec(backend="torch", device="cpu", precision="fp32", tile=50, batch=4)
    known = reference(net, given)
    wanted = Wanted(shares=("confidence", "applicability"), coded=False)
    found = GpuEngine(WithFeatures(net), net.margin, spec, wanted, Trust(reference=known))(*given)
    valid = owned(net, given)
    close(found.shares["applicability"][0][valid], applicability(net, given, known)[valid])


@pytest.mark.parametrize(
    "changes",
    [{"distance": 0.0}, {"threshold": float("nan")}, {"mean": torch.zeros(3)}, {"points": torch.zeros(0, 2)}],
    ids=str,
)
def test_a_reference_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    kept = {"mean": torch.zeros(2), "scale": torch.ones(2), "points": torch.zeros(4, 2), "distance": 1.0}
    with pytest.raises(ValueError, match="reference"):
        Reference(**{**kept, "threshold": 0.5, **changes})
