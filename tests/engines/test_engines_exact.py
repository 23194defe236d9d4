"""Every back-end says what the plain network says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from engine_networks import FINE, ROUGH, land, logits, network, pixels, shares, trained

from landmix.engines.deployed import folded
from landmix.engines.engine import FULL, SHARES, STORED, Answer, EngineSpec, Wanted
from landmix.engines.load import Engines
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

if TYPE_CHECKING:
    from engine_networks import Pixels
    from numpy.typing import NDArray


ALL = Wanted(shares=SHARES, coded=False)


def answer(net: Network, spec: EngineSpec, given: Pixels, wanted: Wanted = ALL) -> Answer:
    return Engines(net, spec).get(wanted)(*given)


def owned(net: Network, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    m = net.margin
    return valid[m : valid.shape[0] - m, m : valid.shape[1] - m]


def agrees(found: Answer, net: Network, given: Pixels, far: float = 1e-5) -> None:
    """The plain network's classes and shares, in every valid pixel."""
    said, valid = logits(net, given), owned(net, given[1])
    expected = shares(said)
    assert found.index.shape == valid.shape
    differs = valid & (found.index != said.argmax(0))
    assert expected["gap"][0][differs].max(initial=0) < 10 * far
    assert differs.sum() <= max(1, far * valid.size)
    assert list(found.shares) == list(SHARES)
    for name, values in found.shares.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values[:, valid], expected[name][:, valid], atol=far)


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (129, 3), (64, 191), (193, 260), (515, 130)], ids=str)
def test_windows_of_any_size(spec: EngineSpec, height: int, width: int) -> None:
    net = network(blocks=2)
    given = pixels(3, height + 4, width + 4)
    agrees(answer(net, spec, given), net, given)


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize("tile", [5, 33, 400])
def test_the_network_may_see_pieces_of_any_size(spec: EngineSpec, tile: int) -> None:
    net, given = network(blocks=1), pixels(3, 71, 83)
    agrees(answer(net, replace(spec, tile=tile), given), net, given)


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize(
    ("bands", "classes", "blocks", "batch_norm"),
    [(1, 2, 0, True), (2, 1, 1, True), (3, 300, 1, True), (218, 6, 0, True), (3, 4, 3, False), (3, 256, 0, False)],
)
def test_networks_of_any_shape(spec: EngineSpec, bands: int, classes: int, blocks: int, batch_norm: bool) -> None:  # noqa: FBT001
    net = network(bands, classes, blocks, batch_norm=batch_norm)
    given = pixels(bands, 40, 37)
    found = answer(net, spec, given)
    assert found.index.dtype == (np.uint8 if classes <= 256 else np.uint16)
    assert {name: len(values) for name, values in found.shares.items()} == {
        "confidence": 1,
        "probabilities": classes,
        "gap": 1,
    }
    agrees(found, net, given)


@pytest.mark.parametrize("spec", FINE)
def test_class_299_is_told_from_class_43(spec: EngineSpec) -> None:
    """They are the same in 8 bits."""
    net = network(classes=300, blocks=0)
    with torch.no_grad():
        net.state_dict()["head.classifier.bias"][299] = 1e4
    found = answer(net, spec, pixels(3, 9, 8), Wanted())
    assert found.index.dtype == np.uint16
    assert (found.index[pixels(3, 9, 8)[1]] == 299).all()


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize("dtype", sorted(STORED))
def test_every_stored_data_type(spec: EngineSpec, dtype: str) -> None:
    net = network(blocks=1)
    given = pixels(3, 50, 60, dtype)
    agrees(answer(net, spec, given), net, given)


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize(("dtype", "middle"), [("uint16", 65000), ("int16", -32000), ("int8", -60), ("int32", 2**23)])
def test_values_at_the_ends_of_a_data_type(spec: EngineSpec, dtype: str, middle: int) -> None:
    """Far from 0, a product and a sum in float32 are rounded once or twice: that is how exact scaling is at all."""
    net = network(blocks=1)
    given = pixels(3, 50, 60, dtype, middle=middle, spread=20)
    agrees(answer(net, spec, given), net, given, far=1e-6 * abs(given[3][0]))


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_large_values_with_small_differences_keep_them(spec: EngineSpec, dtype: str) -> None:
    """In bf16, 30000 and its neighbours within 60 are one number: scaling must come first."""
    net, spectra = trained()
    _, normalised = land(spectra, 150, 170, seed=1000)
    scale = np.full(4, 1 / 200, np.float32)
    stored = (30_000 + 200 * normalised).round().astype(dtype)
    given = stored, np.ones(stored.shape[1:], bool), scale, -30_000 * scale
    expected = logits(net, given).argmax(0)
    assert len(np.unique(expected)) == 5
    assert (answer(net, spec, given, Wanted()).index == expected).mean() >= 0.999


@pytest.mark.parametrize("spec", ROUGH)
def test_bf16_gives_the_labels_of_a_trained_network(spec: EngineSpec) -> None:
    net, spectra = trained()
    index, normalised = land(spectra, 300, 280, seed=2000)
    ones = np.ones(4, np.float32)
    given = normalised, np.ones(index.shape, bool), ones, 0 * ones
    said = logits(net, given)
    expected = shares(said)
    assert (said.argmax(0) == index[2:-2, 2:-2]).mean() > 0.9
    found = answer(net, spec, given)
    differs = found.index != said.argmax(0)
    assert differs.mean() <= 0.001
    assert expected["gap"][0][differs].max(initial=0) < 0.05
    for name, values in found.shares.items():
        assert np.abs(values - expected[name]).mean() < 0.005


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
@pytest.mark.parametrize("bad", [np.nan, -np.inf, 3e38])
def test_an_invalid_pixel_is_the_training_mean_to_its_neighbours(spec: EngineSpec, bad: float) -> None:
    net = network(blocks=2)
    stored, valid, scale, offset = pixels(3, 40, 44, "float32")
    mean = stored.copy()
    mean[:, ~valid] = -offset[:, None] / scale[:, None]
    stored[0, ~valid] = bad
    found = answer(net, spec, (stored, valid, scale, offset))
    expected = answer(net, spec, (mean, valid, scale, offset))
    seen = owned(net, valid)
    np.testing.assert_array_equal(found.index[seen], expected.index[seen])
    for name, values in found.shares.items():
        np.testing.assert_array_equal(values[:, seen], expected.shares[name][:, seen])


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
def test_what_an_earlier_window_left_behind_is_not_seen(spec: EngineSpec) -> None:
    """Buffers are used again: here with NaN from a larger window around the smaller one."""
    net = network(blocks=2)
    small = pixels(3, 30, 34, "float32")
    large = pixels(3, 135, 135, "float32", seed=5)
    large[0][:, 20:] = np.nan
    engine = Engines(net, spec).get(ALL)
    first = engine(*small)
    engine(*large)
    again = engine(*small)
    np.testing.assert_array_equal(first.index, again.index)
    for name, values in first.shares.items():
        np.testing.assert_array_equal(values, again.shares[name])


@pytest.mark.parametrize("spec", FINE)
def test_coded_shares_are_the_rounded_ones(spec: EngineSpec) -> None:
    net, given = network(blocks=1), pixels(3, 60, 64)
    exact, coded = (answer(net, spec, given, Wanted(shares=SHARES, coded=coded)) for coded in (False, True))
    valid = owned(net, given[1])
    for name, values in coded.shares.items():
        assert values.dtype == np.uint8
        assert values.max() <= FULL
        np.testing.assert_allclose(values[:, valid], FULL * exact.shares[name][:, valid], atol=0.5 + 1e-3)


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize("wanted", [("gap",), ("confidence",), ("probabilities",), ("confidence", "gap")])
def test_only_what_is_wanted_is_given(spec: EngineSpec, wanted: tuple[str, ...]) -> None:
    net, given = network(blocks=1), pixels(3, 33, 35)
    whole = answer(net, spec, given)
    found = answer(net, spec, given, Wanted(shares=wanted, coded=False))
    assert tuple(found.shares) == wanted
    valid = owned(net, given[1])
    for name, values in found.shares.items():
        np.testing.assert_allclose(values[:, valid], whole.shares[name][:, valid], atol=1e-6)


@pytest.mark.parametrize("spec", FINE)
def test_a_window_without_a_valid_pixel(spec: EngineSpec) -> None:
    stored, valid, scale, offset = pixels(3, 20, 20)
    found = answer(network(), spec, (stored, valid & False, scale, offset))
    assert found.index.shape == (18, 18)
    assert [values.shape for values in found.shares.values()] == [(1, 18, 18), (4, 18, 18), (1, 18, 18)]


@pytest.mark.parametrize("blocks", [0, 2])
def test_folded_batch_norms_change_nothing(blocks: int) -> None:
    net = network(blocks=blocks)
    given: Any = pixels(3, 30, 30)
    before = logits(net, given)
    plain = folded(net)
    assert not [module for module in plain.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    np.testing.assert_allclose(logits(plain, given), before, atol=1e-4)
    np.testing.assert_array_equal(logits(net, given), before)


@pytest.mark.parametrize("spec", FINE)
@pytest.mark.parametrize(
    ("encoder", "head", "more"),
    [
        ({"attention": 4}, {}, {}),
        ({"residual": 2}, {"kind": "pointwise"}, {}),
        ({}, {"kind": "depthwise"}, {"activation": "gelu"}),
        ({}, {"kind": "inception", "dilation": (2,)}, {}),
        ({}, {"dilation": (3,)}, {"inputs": (1, 2)}),
    ],
    ids=["attention", "residual pointwise", "depthwise gelu", "dilated inception", "dilated fusion"],
)
def test_every_kind_of_network(spec: EngineSpec, encoder: Any, head: Any, more: Any) -> None:
    torch.manual_seed(1)
    made = Network(
        NetSpec(
            in_channels=3,
            classes=4,
            encoder=EncoderSpec(widths=(12, 8), **encoder),
            head=HeadSpec(**{"blocks": 1, "reduced": 4, "width": 8, **head}),
            **more,
        )
    ).eval()
    with torch.no_grad():
        for values in made.parameters():
            values.normal_(0, 0.4)
    given = pixels(3, 40 + 2 * made.margin, 37 + 2 * made.margin)
    agrees(answer(made, spec, given), made, given, far=5e-5)
