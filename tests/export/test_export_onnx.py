"""ONNX graphs give landmix's own map, whoever feeds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from onnx_models import CLIENTS, as_generic, differing, exported, landmix_map, model, probabilities, stored_pixels
from random_weights import shake
from test_nn_family import FAMILY

from landmix.core.bands import Band, Formula
from landmix.core.indices import INDICES, LETTERS, check, compute
from landmix.core.scaling import DECODINGS, Affine, decode
from landmix.export.onnx_graph import DECODERS, computed
from landmix.nn.network import Network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.bundle import Bundle

RED, NIR = Band(name="red", number=1), Band(name="nir", number=2)
NDVI = Band(name="ndvi", formula=Formula(expression="(N - R) / (N + R)", inputs=(("N", NIR), ("R", RED))))
BOTH = pytest.mark.parametrize("client", list(CLIENTS))


@BOTH
@pytest.mark.parametrize(
    "made",
    [
        pytest.param({"blocks": 0}, id="spectral"),
        pytest.param({"blocks": 2}, id="base"),
        pytest.param({"blocks": 5, "bands": 1}, id="deep"),
        pytest.param({"bands": 218, "classes": 9}, id="218-bands"),
        pytest.param({"classes": 1}, id="one-class"),
    ],
)
def test_same_map(tmp_path: Path, client: str, made: dict[str, Any]) -> None:
    bundle = model(**made)
    stored = stored_pixels(len(bundle.nodata))
    assert differing(bundle, exported(bundle, tmp_path, client), client, stored) == 0


@BOTH
@pytest.mark.parametrize("nodata", [0.0, -9999.0])
def test_nodata_beside_valid_pixels(tmp_path: Path, client: str, nodata: float) -> None:
    bundle = model(nodata=(nodata,) * 3)
    stored = stored_pixels(3)
    stored[:, 5:9, 20:33] = nodata
    stored[:, 40:, :7] = nodata
    assert differing(bundle, exported(bundle, tmp_path, client), client, stored) == 0


@pytest.mark.parametrize(("nodata", "client"), [(0.0, "generic"), (-9999.0, "generic"), (-9999.0, "deepness")])
def test_nodata_in_one_band(tmp_path: Path, nodata: float, client: str) -> None:
    bundle = model(nodata=(None, nodata, None))
    stored = stored_pixels(3)
    stored[1, 5:9, 20:33] = nodata
    path = exported(bundle, tmp_path, client)
    expected = landmix_map(bundle, stored)
    pixels, _ = CLIENTS[client](bundle, stored)
    shares = probabilities(path, pixels, np.full(3, np.nan, np.float32))
    valid = expected != bundle.legend.nodata
    assert (bundle.legend.decode(shares.argmax(0), valid) == expected).all()


def test_what_is_invalid_in_one_band_counts_as_the_training_mean_in_all(tmp_path: Path) -> None:
    bundle = model(blocks=0, nodata=(None, 0.0, None))
    stored = stored_pixels(3)
    stored[1, 5:9, 20:33] = 0
    shares = probabilities(exported(bundle, tmp_path), *as_generic(bundle, stored))
    mean = bundle.network()(torch.zeros(1, 3, 1, 1)).softmax(1)[0].numpy()
    np.testing.assert_allclose(shares[:, 5:9, 20:33], np.broadcast_to(mean, (5, 4, 13)), atol=1e-6)
    assert np.abs(shares[:, 4, 20:33] - mean[:, 0]).max() > 0.01


def test_a_value_that_is_only_stored_as_nodata_is_valid(tmp_path: Path) -> None:
    bundle = model(nodata=(0.0,) * 3)
    stored = stored_pixels(3)
    stored[1, 5:50:2, 5:50:2] = 1000  # 0.0, as QGIS also writes nodata
    stored[:, 20:23, 20:23] = 0
    assert differing(bundle, exported(bundle, tmp_path, "deepness"), "deepness", stored) == 0


@BOTH
def test_nodata_is_found_however_a_client_rounds(tmp_path: Path, client: str) -> None:
    bundle = model(2, blocks=0, nodata=(-32768.0, None))
    double = np.float32(-32768 * 1e-4 - 0.1)
    single = np.float32(-32768) * np.float32(1e-4) + np.float32(-0.1)
    assert single != double
    pixels = np.full((2, 1, 3), 0.5, np.float32)
    pixels[0, 0] = [double, single, double + 1e-4]  # the last is a valid neighbour
    if client == "deepness":
        pixels = (pixels * 1.0 / 255.0).astype(np.float32)
    shares = probabilities(exported(bundle, tmp_path, client), pixels, np.zeros(2, np.float32))
    mean = bundle.network()(torch.zeros(1, 2, 1, 1)).softmax(1)[0, :, 0, 0].numpy()
    np.testing.assert_allclose(shares[:, 0, :2], np.stack([mean, mean], 1), atol=1e-6)
    assert np.abs(shares[:, 0, 2] - mean).max() > 0.01


@BOTH
def test_numbers_that_are_none(tmp_path: Path, client: str) -> None:
    nodata = (np.nan, -1.7976931348623157e308, 3.4028234663852886e38)
    bundle = model(scaling=Affine.identity(3), nodata=nodata)
    stored = np.random.default_rng(0).random((3, 40, 40), np.float32)
    stored[2, 10:14, 30:35] = np.nan
    stored[1, 20:24, 10:15] = np.inf
    stored[0, 30:34, 20:25] = -np.inf
    stored[2, 3:5, 3:5] = nodata[2]
    assert (landmix_map(bundle, stored) == 0).sum() == 3 * 20 + 4
    assert differing(bundle, exported(bundle, tmp_path, client), client, stored) == 0


@BOTH
def test_valid_pixels_that_are_0_in_every_band_stay_valid(tmp_path: Path, client: str) -> None:
    bundle = model(scaling=Affine.identity(3), nodata=(-9999.0,) * 3, blocks=1)
    stored = np.random.default_rng(0).random((3, 40, 40), np.float32)
    stored[:, 10:30:3, 10:30:3] = 0
    assert differing(bundle, exported(bundle, tmp_path, client), client, stored) == 0


@BOTH
def test_indices_are_computed(tmp_path: Path, client: str) -> None:
    bundle = model((NDVI, RED), scaling=Affine.identity(2))  # NIR is read, but not seen
    assert bundle.bands.inputs.names == ("red", "nir")
    stored = np.random.default_rng(0).random((2, 61, 53), np.float32)
    stored[:, 5:9, 20:33] = 0  # 0 / 0: not defined, so invalid
    stored[:, 15:19, 40] = [[0.5], [-0.5]]  # infinite, so invalid
    assert (landmix_map(bundle, stored) == 0).sum() == 4 * 13 + 4
    assert differing(bundle, exported(bundle, tmp_path, client), client, stored) == 0


@pytest.mark.parametrize("name", INDICES)
def test_formulas_as_landmix_computes_them(name: str) -> None:
    letters = tuple((letter, Band(name=letter)) for letter in LETTERS)
    formula = Formula(expression=INDICES[name], inputs=letters)
    check(formula)
    values = np.random.default_rng(0).random((len(letters), 500), np.float32)
    values[:, 0] = 0
    expected = compute(formula.expression, dict(zip(LETTERS, values, strict=True)))
    found = computed(formula, dict(zip(LETTERS, map(torch.tensor, values), strict=True))).numpy()
    found = np.where(np.isfinite(found), found, np.float32(np.nan))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@BOTH
def test_embeddings_are_decoded(tmp_path: Path, client: str) -> None:
    count = 6
    bundle = model(
        count,
        decode=("alphaearth",) * 5 + (None,),
        nodata=(-128.0,) * 5 + (None,),
        scaling=Affine(scale=(1.0,) * 5 + (0.01,), offset=(0.0,) * 5 + (0.2,)),
        normalise=Affine(scale=(3.0,) * count, offset=(0.1,) * count),
    )
    stored = np.random.default_rng(0).integers(-127, 128, (count, 61, 53)).astype(np.int8)
    stored[:5, 5:9, 20:33] = -128
    assert differing(bundle, exported(bundle, tmp_path, client), client, stored) == 0


@pytest.mark.parametrize("offset", [-0.1, -0.2])
def test_a_divisor_of_0_is_found_though_a_client_rounds(tmp_path: Path, offset: float) -> None:
    """Black pixels of a scene with an offset: N + R is about 1e-8 in float32, and the index would be anything."""
    bundle = model((NDVI, RED), scaling=Affine(scale=(1e-4, 1e-4), offset=(offset, offset)), blocks=1)
    zero = round(-offset / 1e-4)
    stored = np.random.default_rng(0).integers(zero + 300, zero + 9000, (2, 61, 53)).astype(np.int16)
    stored[:, 5:9, 20:33] = zero  # 0 / 0
    stored[0, 15:19, 40], stored[1, 15:19, 40] = zero + 500, zero - 500  # x / 0
    assert (landmix_map(bundle, stored) == 0).sum() == 4 * 13 + 4
    assert differing(bundle, exported(bundle, tmp_path), "generic", stored) == 0
    double = (stored * 1e-4 + offset).astype(np.float32)
    single = stored.astype(np.float32) * np.float32(1e-4) + np.float32(offset)
    valid = landmix_map(bundle, stored) != 0
    for pixels in (double, single):
        shares = probabilities(exported(bundle, tmp_path), pixels, np.full(2, np.nan, np.float32))
        mean = bundle.network()(torch.zeros(1, 2, 3, 3)).softmax(1)[0, :, 0, 0].numpy()
        np.testing.assert_allclose(shares[:, 6, 25], mean, atol=1e-6)
        assert np.isfinite(shares[:, valid]).all()


def test_every_code_is_known() -> None:
    assert set(DECODERS) == set(DECODINGS)
    stored = np.arange(-128, 128, dtype=np.int8)
    for name in DECODINGS:
        expected = np.asarray(decode(stored, name), np.float32)
        np.testing.assert_allclose(DECODERS[name](torch.tensor(stored)).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_probabilities_are_those_of_the_network(tmp_path: Path, temperature: float) -> None:
    bundle = model(temperature=temperature)
    stored = stored_pixels(3, 32, 32)
    shares = probabilities(exported(bundle, tmp_path), *as_generic(bundle, stored))
    np.testing.assert_allclose(shares, _plain(bundle, stored), atol=2e-6)


def _plain(bundle: Bundle, stored: NDArray[Any]) -> NDArray[np.float32]:
    """Scaled, padded with 0 and computed by hand."""
    normalised = (stored * 1e-4 - 0.1) * 4 - 1.2
    padded = np.pad(normalised, ((0, 0), (2, 2), (2, 2))).astype(np.float32)
    logits: NDArray[np.float32] = bundle.network()(torch.tensor(padded)[None])[0].numpy()
    powers = np.exp(logits / np.float32(bundle.temperature))
    return powers / powers.sum(0)  # type: ignore[no-any-return]


def test_a_batch_is_its_tiles(tmp_path: Path) -> None:
    import onnxruntime  # noqa: PLC0415

    bundle = model()
    session = onnxruntime.InferenceSession(exported(bundle, tmp_path), providers=["CPUExecutionProvider"])
    tiles = as_generic(bundle, stored_pixels(9, 32, 32).reshape(3, 3, 32, 32)[0])[0][None].repeat(3, 0)
    tiles[1] *= 2
    tiles[2, :, 5] = np.nan
    (together,) = session.run(None, {"pixels": tiles})
    alone = [session.run(None, {"pixels": tile[None]})[0][0] for tile in tiles]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert (together.argmax(1)[1:] != together.argmax(1)[0]).any()


QUICK = {"attention", "dilated inception"}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in sorted(FAMILY)]
)
def test_every_kind_of_network(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(3)
    network = Network(FAMILY[kind])
    shake(network)
    bundle = model(5, classes=3, net=network.spec, weights=network.state_dict())
    stored = stored_pixels(5)
    assert differing(bundle, exported(bundle, tmp_path), "generic", stored) == 0
