from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from source_files import scene, write_tif
from source_models import NDVI, NIR, RED, bundle_with

from landmix.bundle import load, save
from landmix.core.bands import Band, BandSet
from landmix.core.indices import compute
from landmix.core.scaling import Affine, normalise
from landmix.engines.engine import EngineSpec
from landmix.engines.load import Engines
from landmix.errors import LandmixError
from landmix.geo.fitting import fit_to
from landmix.geo.validity import validity
from landmix.predictor import Predictor, channels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.bundle import Bundle

Content = dict[str, Any]


def full(**changes: Any) -> Bundle:
    lines = Affine(scale=(1e-4, 2e-4), offset=(-0.1, 0.0))
    settings: dict[str, Any] = {"nodata": (0.0, None), "scaling": lines, **changes}
    return bundle_with((RED, NDVI), **settings)


@pytest.mark.parametrize("decode", [(), ("alphaearth", None), (None, "alphaearth"), (None, None)])
def test_formulas_and_decodings_come_back(tmp_path: Path, decode: tuple[str | None, ...]) -> None:
    bundle = full(decode=decode)
    save(bundle, tmp_path / "model.pt")
    found = load(tmp_path / "model.pt")
    assert found.bands == bundle.bands
    assert found.bands.inputs.names == ("red", "nir")
    assert (found.decode, found.steps, found.scaling) == (bundle.decode, bundle.steps, bundle.scaling)
    assert found.digest == bundle.digest


def test_the_digest_follows_formulas_and_decodings() -> None:
    assert NDVI.formula is not None
    other = replace(NDVI, formula=replace(NDVI.formula, expression="(N - R) / (N + R + 1)"))
    swapped = replace(NDVI, formula=replace(NDVI.formula, inputs=(("N", RED), ("R", NIR))))
    changed = [replace(full(), bands=BandSet((RED, band))) for band in (NDVI, other, swapped)]
    changed.append(full(decode=("alphaearth", None)))
    assert len({bundle.digest for bundle in changed}) == 4


def formula(content: Content) -> Content:
    found: Content = content["bundle"]["bands"][1]["formula"]
    return found


def code(content: Content) -> None:
    formula(content)["expression"] = "__import__('os').system('touch canary')"


def attribute(content: Content) -> None:
    formula(content)["expression"] = "N.tofile"


def endless(content: Content) -> None:
    formula(content)["expression"] = "N" + " + N" * 100_000


def power(content: Content) -> None:
    formula(content)["expression"] = "9 ** 999999999"


def unexplained(content: Content) -> None:
    formula(content)["expression"] = "N - X"


def no_text(content: Content) -> None:
    formula(content)["expression"] = None


def no_expression(content: Content) -> None:
    del formula(content)["expression"]


def no_inputs(content: Content) -> None:
    formula(content)["inputs"] = None


def lone_letters(content: Content) -> None:
    formula(content)["inputs"] = ["N", "R"]


def text_for_a_formula(content: Content) -> None:
    content["bundle"]["bands"][1]["formula"] = "N - R"


def empty_formula(content: Content) -> None:
    content["bundle"]["bands"][1]["formula"] = {}


def formula_in_a_formula(content: Content) -> None:
    formula(content)["inputs"][0][1]["formula"] = copy.deepcopy(formula(content))


def endless_formulas(content: Content) -> None:
    """A formula that is computed from itself."""
    own = formula(content)
    own["inputs"] = [["N", content["bundle"]["bands"][1]], ["R", own["inputs"][1][1]]]


def strange_band(content: Content) -> None:
    formula(content)["inputs"][0][1]["surprise"] = 1


def nameless_band(content: Content) -> None:
    formula(content)["inputs"][0][1]["name"] = ""


def third_input(content: Content) -> None:
    formula(content)["inputs"].append(["G", {**formula(content)["inputs"][0][1], "name": "green"}])


def unknown_decoding(content: Content) -> None:
    content["bundle"]["decode"] = ["pickle", None]


def decoding_text(content: Content) -> None:
    content["bundle"]["decode"] = "alphaearth"


def decoding_list(content: Content) -> None:
    content["bundle"]["decode"] = [["alphaearth"], None]


def decoding_count(content: Content) -> None:
    content["bundle"]["decode"] = ["alphaearth"]


def decoding_number(content: Content) -> None:
    content["bundle"]["decode"] = 3


DAMAGES = [
    code, attribute, endless, power, unexplained, no_text, no_expression, no_inputs, lone_letters, text_for_a_formula,
    empty_formula, formula_in_a_formula, endless_formulas, strange_band, nameless_band, third_input, unknown_decoding,
    decoding_text, decoding_list, decoding_count, decoding_number,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_formulas_and_decodings_are_refused(tmp_path: Path, damage: Callable[[Content], None]) -> None:
    path = tmp_path / "model.pt"
    save(full(), path)
    content = torch.load(path, weights_only=True)
    formula(content)["inputs"] = [list(pair) for pair in formula(content)["inputs"]]
    damage(content)
    torch.save(content, path)
    with pytest.raises(LandmixError, match=r"the model .*model\.pt is damaged") as caught:
        load(path)
    assert len(str(caught.value)) < 500


def pixels(dtype: str) -> NDArray[Any]:
    """(2, H, W) with some nodata, and places where red + nir is 0."""
    values = np.random.default_rng(0).integers(1, 120, (2, 9, 11)).astype(dtype)
    values[0, 2, 3:6], values[1, 5, :2] = 0, 0
    return values


def read(path: str, bundle: Bundle, **options: Any) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the network sees of a scene that is read from a file."""
    found = fit_to(scene(path, **options), bundle.bands, trained_count=2, nodata=bundle.nodata, warn=print, say=print)
    with found.open() as reader:
        stored, inside = reader.read(found.grid.window)
    valid = inside & validity(stored, found.nodata)
    return normalise(stored, valid, *found.scaling.then(bundle.normalise).arrays), valid


def given(stored: NDArray[Any], bundle: Bundle) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the network sees of an array."""
    values, scaling, nodata = channels(bundle, stored, bundle.scaling)
    valid = validity(values, nodata)
    return normalise(values, valid, *scaling.then(bundle.normalise).arrays), valid


MIXES: list[tuple[Band, ...]] = [(RED, NDVI), (NDVI,), (NDVI, NIR, RED), (NIR, RED), (RED, NIR)]


@pytest.mark.parametrize("bands", MIXES, ids=lambda bands: "-".join(band.name for band in bands))
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("nodata", [0.0, None])
def test_arrays_are_read_as_a_scene_is(
    tmp_path: Path, bands: tuple[Band, ...], dtype: str, nodata: float | None
) -> None:
    stored = pixels(dtype)
    # an offset with which no two stored numbers add up to a divisor of 0
    path = write_tif(tmp_path / "a.tif", stored, names=("red", "nir"), scale=0.002, offset=-0.1003, nodata=nodata)
    names = BandSet(bands).inputs.names
    order = [("red", "nir").index(name) for name in names]
    lines = Affine(scale=(0.002,) * len(names), offset=(-0.1003,) * len(names))
    standard = Affine(scale=(2.0,) * len(bands), offset=(0.5,) * len(bands))
    bundle = bundle_with(bands, nodata=(nodata,) * len(names), scaling=lines, normalise=standard)
    there, valid = read(path, bundle)
    here, also = given(stored[order], bundle)
    assert also.any()
    assert also.all() == (nodata is None)
    np.testing.assert_array_equal(also, valid)
    np.testing.assert_allclose(here, there, atol=1e-5)


def test_an_index_of_arrays_is_that_of_physical_values() -> None:
    stored = np.array([[[1750]], [[3215]]], "uint16")
    values, scaling, nodata = channels(full(), stored, full().scaling)
    red, nir = 0.075, 0.643
    np.testing.assert_allclose(values[:, 0, 0].astype(float), [red, (nir - red) / (nir + red)], rtol=1e-5)
    assert scaling == Affine.identity(2)
    assert nodata == (None, None)


def test_arrays_with_nothing_to_compute_stay_as_they_are() -> None:
    bundle = bundle_with((RED, NIR), nodata=(3.0, None))
    stored = pixels("int16")
    values, scaling, nodata = channels(bundle, stored, bundle.scaling)
    assert values is stored
    assert (scaling, nodata) == (bundle.scaling, (3.0, None))


def test_decoded_arrays() -> None:
    bundle = bundle_with((RED, NIR), nodata=(-128.0, -128.0), decode=("alphaearth", "alphaearth"))
    stored = np.array([[[127, -128]], [[-51, 5]]], "int8")
    values, _, nodata = channels(bundle, stored, bundle.scaling)
    expected = [(127 / 127.5) ** 2, -((51 / 127.5) ** 2)]
    np.testing.assert_allclose(values[:, 0, 0].astype(float), expected, rtol=1e-6)
    np.testing.assert_array_equal(validity(values, nodata), [[True, False]])


PRODUCT = {"title": "coded", "decode": "alphaearth", "stack": {"names": "A{:02d}", "count": 2}, "nodata": -128}


def test_decoded_arrays_are_read_as_a_decoded_scene_is(tmp_path: Path) -> None:
    stored = np.random.default_rng(1).integers(-127, 128, (2, 9, 11)).astype("int8")
    stored[0, 3, 4] = -128
    path = write_tif(tmp_path / "a.tif", stored)
    a, b = (Band(name=f"A0{i}", number=i + 1) for i in range(2))
    assert NDVI.formula is not None
    index = replace(NDVI, formula=replace(NDVI.formula, inputs=(("N", a), ("R", b))))
    for bands in ((a, b), (b, index)):
        bundle = bundle_with(bands, nodata=(-128.0, -128.0), decode=("alphaearth", "alphaearth"))
        order = [int(name[-1]) for name in bundle.bands.inputs.names]
        there, valid = read(path, bundle, product=PRODUCT)
        here, also = given(stored[order], bundle)
        np.testing.assert_array_equal(also, valid)
        assert not also[3, 4]
        np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6)


def test_a_model_with_an_index_classifies_arrays() -> None:
    bundle = full()
    stored = pixels("uint16")
    values, scaling, nodata = channels(bundle, stored, bundle.scaling)
    engines = Engines(bundle.network(), EngineSpec(backend="torch", precision="fp32"))
    predict = Predictor(bundle, engines, scaling=scaling, nodata=nodata)
    found = predict(values, np.ones((9, 11), bool))
    np.testing.assert_array_equal(found.valid, stored[0] != 0)
    assert compute("N", {"N": values[1]}).shape == found.index.shape
