"""What an array says of itself: bands, units, nodata; and what its map says to other programs."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import commands
import numpy as np
import pytest
import rasterio
import xarray as xr
from array_files import bundle, expected, landmix_model, opened, world
from classify_files import LEGEND, model, plan_of, read, run, scene_values, write_scene
from seam_models import bundle_of

from landmix.classify.array_layers import words
from landmix.core.bands import Band, BandSet, Formula
from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine
from landmix.engines.choose import choose
from landmix.errors import LandmixError, UsageError
from landmix.geo.products.folder import recognise_file
from landmix.model import Model

if TYPE_CHECKING:
    from pathlib import Path


def array() -> xr.DataArray:
    return opened(world()[0])


def bare(**attrs: Any) -> xr.DataArray:
    """Pixels, and nothing else but what is said here."""
    return xr.DataArray(array().values, dims=("band", "y", "x"), attrs={"_FillValue": 0, **attrs})


def same(given: xr.DataArray, **options: Any) -> None:
    """Classified as the command does."""
    np.testing.assert_array_equal(landmix_model().classify_xarray(given, **options), expected()[0])


# bands


def test_bands_are_found_by_name() -> None:
    same(array().isel(band=[1, 0]))  # rioxarray's attribute still has the file's order
    same(bare().assign_coords(band=["red", "NIR"]))
    same(bare().assign_coords(band=["red", "nir"]).isel(band=[1, 0]))
    same(bare(long_name=["red", "nir"]))
    same(bare().assign_coords(description=("band", ["red", "nir"])).isel(band=[1, 0]))
    same(array().rename(band="bands"))
    same(array().rename(band="wavelength"), dim="wavelength")
    same(array().transpose("x", "band", "y"))


def test_bands_are_found_by_wavelength() -> None:
    bands = BandSet((Band(name="nir", number=2, wavelength=842, width=20), Band(name="red", number=1, wavelength=665)))
    one = Model(model(2, nodata=(0.0, 0.0), bands=bands), device="cpu")
    for values, units in (([0.67, 0.84], "um"), ([671, 843], "nm"), ([0.67, 0.84], "micrometers")):
        given = bare().assign_coords(wavelength=("band", values, {"units": units}))
        for turned in (given, given.isel(band=[1, 0])):
            np.testing.assert_array_equal(one.classify_xarray(turned), expected()[0])
    stac = bare().assign_coords(center_wavelength=("band", [0.67, 0.84]))  # STAC's name means micrometres
    np.testing.assert_array_equal(one.classify_xarray(stac), expected()[0])
    axis = bare().rename(band="wavelength").assign_coords(wavelength=("wavelength", [671, 843], {"units": "nm"}))
    np.testing.assert_array_equal(one.classify_xarray(axis), expected()[0])
    with pytest.raises(LandmixError, match=r"needs band nir \(842 nm\), but the array has .*700 nm"):
        one.classify_xarray(bare().assign_coords(wavelength=("band", [665, 700], {"units": "nm"})))


def test_bands_by_order_only_where_nothing_names_them() -> None:
    with pytest.warns(UserWarning, match="the array names no bands: its bands are taken by position"):
        same(bare())
    same(bare(), bands=[2, 1])
    same(bare().assign_coords(band=["a", "b"]), bands=["b", "a"])
    with pytest.raises(LandmixError, match=r"needs band nir, but the array has a, b"):
        landmix_model().classify_xarray(bare().assign_coords(band=["a", "b"]))
    three = xr.concat([bare(), bare()], "band")
    with pytest.raises(LandmixError, match="has 4 where the training scene had 2"):
        landmix_model().classify_xarray(three)
    with pytest.raises(UsageError, match=r"bands must name 2 bands of the array, for nir, red of the model, not 1"):
        landmix_model().classify_xarray(bare(), bands=[1])
    turned = bare().assign_coords(band=[1, 2]).isel(band=[1, 0])
    with pytest.raises(LandmixError, match=r"another order .* say which .* bands="):
        landmix_model().classify_xarray(turned)


def test_formulas_are_computed(tmp_path: Path) -> None:
    red, nir = Band(name="red", number=1), Band(name="nir", number=2)
    ndvi = Formula(expression="(n - r) / (n + r)", inputs=(("n", nir), ("r", red)))
    changes: dict[str, Any] = {
        "bands": BandSet((Band(name="ndvi", formula=ndvi), red)),
        "normalise": Affine(scale=(2.0, 0.02), offset=(0.0, -2.0)),
        "nodata": (None, None),
    }
    one = model(2, **changes)
    scene = write_scene(tmp_path / "scene.tif", scene_values(150, 170))
    plan = plan_of(one, scene, tmp_path / "map" / "map.tif", engine=choose("cpu"))
    run(plan, one)
    for given in (opened(scene), opened(scene).chunk({"y": 40, "x": 60})):
        np.testing.assert_array_equal(Model(one, device="cpu").classify_xarray(given), read(plan.target)[0])


def test_a_product_of_one_file_is_known_by_its_names(tmp_path: Path) -> None:
    """Embeddings as int8: their coding is undone, as the command does."""
    names = [f"A{i:02}" for i in range(64)]
    delivery = recognise_file("", names, ["int8"] * 64)
    assert delivery is not None
    bands = BandSet(tuple(replace(delivered.band, number=delivered.number) for delivered in delivery.bands))
    one = replace(bundle_of(64, 2), bands=bands, decode=("alphaearth",) * 64, band_count=64, nodata=(-128.0,) * 64)
    one = replace(one, normalise=Affine(scale=(3.0,) * 64, offset=(0.1,) * 64))
    values = np.random.default_rng(0).integers(-127, 128, (64, 70, 80), np.int8)
    values[3, :4, :9] = -128
    named: dict[str, Any] = {"names": names, "wavelengths": None, "scaled": False}
    scene = commands.write_scene(tmp_path / "scene.tif", values, nodata=-128, **named)
    plan = plan_of(one, str(scene), tmp_path / "map" / "map.tif", engine=choose("cpu"))
    run(plan, one)
    assert len(np.unique(read(plan.target))) > 2
    for given in (opened(scene), opened(scene).chunk({"y": 30, "band": 5}), opened(scene).assign_coords(band=names)):
        np.testing.assert_array_equal(Model(one, device="cpu").classify_xarray(given), read(plan.target)[0])


# numbers


def test_units_are_never_guessed() -> None:
    bands = BandSet(tuple(Band(name=name, unit="reflectance") for name in ("nir", "red")))
    one = Model(model(2, nodata=(0.0, 0.0), bands=bands), device="cpu")
    with pytest.raises(LandmixError, match="nothing says what the numbers of the array are: say scale=1 and offset=0"):
        one.classify_xarray(array())
    np.testing.assert_array_equal(one.classify_xarray(array(), scale=1, offset=0), expected()[0])
    halved = one.classify_xarray(array().assign_attrs(scale_factor=0.5))
    assert (halved.values != expected()[0]).any()
    np.testing.assert_array_equal(halved, one.classify_xarray(array(), scale=0.5))
    with pytest.raises(LandmixError, match=r"the model needs nir in reflectance, but the array has nir in K"):
        one.classify_xarray(array().assign_attrs(units="K"))


def test_whole_numbers_that_nobody_explains_are_not_physical_values() -> None:
    scaled = Affine(scale=(0.0001, 0.0001), offset=(-0.1, -0.1))
    one = Model(model(2, nodata=(0.0, 0.0), scaling=scaled), device="cpu")
    with pytest.raises(LandmixError, match=r"trained on .* as stored \* 0.0001 \+ -0.1, .* say scale=0.0001"):
        one.classify_xarray(array())
    one.classify_xarray(array(), scale=1, offset=0)
    one.classify_xarray(array().astype("float32"))


def test_numbers_that_somebody_may_have_scaled() -> None:
    """xarray keeps attributes through arithmetic, so what they say may have been done."""
    said = array().assign_attrs(scale_factor=0.5, add_offset=1.0)
    done = (said * np.float32(0.5) + np.float32(1)).assign_attrs(said.attrs)
    with pytest.raises(LandmixError, match="nobody knows whether they were applied: say scale=1 and offset=0"):
        landmix_model().classify_xarray(done)
    there = said.values != 0
    found = landmix_model().classify_xarray(done.where(there), scale=1, offset=0)
    np.testing.assert_array_equal(found, landmix_model().classify_xarray(said))


def test_scales_of_each_band() -> None:
    each = array().assign_attrs(scales=(1.0, 2.0), offsets=(0.0, 5.0))
    by_hand = array().astype("float32").where(array() != 0)
    by_hand[1] = by_hand[1] * 2 + 5
    by_hand.attrs = {"long_name": ("red", "nir")}
    found = landmix_model().classify_xarray(each)
    np.testing.assert_array_equal(found, landmix_model().classify_xarray(by_hand))
    np.testing.assert_array_equal(found, landmix_model().classify_xarray(each.isel(band=[1, 0])))
    assert (found.values != expected()[0]).any()


def test_nodata() -> None:
    """The array's own, or the training scene's where it has none; NaN always."""
    none = array().drop_attrs(deep=False).assign_attrs(long_name=("red", "nir"))
    same(none)
    other = none.where(none != 0, 255).astype(np.uint8).assign_attrs(none.attrs, _FillValue=255)
    same(other)
    same(none.where(none != 0))
    assert (landmix_model().classify_xarray(other.assign_attrs(_FillValue=254)).values != 0).all()


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "int64", "uint64", "float32", "float64", ">u2"])
def test_any_type_of_numbers(dtype: str) -> None:
    same(array().astype(dtype))


def test_what_is_no_scene() -> None:
    one = landmix_model()
    with pytest.raises(UsageError, match=r"takes a DataArray, not Dataset; .*to_dataarray"):
        one.classify_xarray(array().to_dataset("band"))  # type: ignore[call-overload]
    with pytest.raises(LandmixError, match=r"has time, band, y, x: choose one place along the others"):
        one.classify_xarray(array().expand_dims("time"))
    with pytest.raises(LandmixError, match=r"needs one axis of bands beside rows and columns, but has y, x"):
        one.classify_xarray(array()[0])
    with pytest.raises(LandmixError, match=r"axes for rows and columns, called y and x, but has band, lines, x"):
        one.classify_xarray(array().rename(y="lines"))
    with pytest.raises(LandmixError, match="must hold integers or floating-point numbers, not complex64"):
        one.classify_xarray(array().astype("complex64"))
    with pytest.raises(UsageError, match="outputs must be some of classes, confidence"):
        one.classify_xarray(array(), outputs=["class"])
    with pytest.raises(UsageError, match="scale must be a finite number other than 0"):
        one.classify_xarray(array(), scale=0)


# the map


def test_flags_in_the_datas_own_type() -> None:
    found = landmix_model().classify_xarray(array())
    assert found.name == "classes"
    assert found.attrs["flag_values"].dtype == found.dtype
    assert found.attrs["flag_values"].tolist() == [2, 7, 40]
    assert found.attrs["flag_meanings"] == "Grün_b_x b c"
    assert found.attrs["flag_colors"] == "#00ff00 #0000ff #ff0000"
    assert found.attrs["LANDMIX_MODEL"] == bundle().digest
    large = Legend((*LEGEND.classes[:2], LegendClass(value=300, name="far", color="#000000")))
    wide = Model(model(2, nodata=(0.0, 0.0), legend=large), device="cpu").classify_xarray(array())
    assert wide.dtype == wide.attrs["flag_values"].dtype == np.uint16


def test_words_are_one_word_each_and_differ() -> None:
    names = ["bare soil", "bare/soil", "bare  soil", "bare_soil_1", "&", "<", "Wald/Forst", "水", "3"]
    legend = Legend(tuple(LegendClass(value=i, name=name, color="#000000") for i, name in enumerate(names)))
    found = words(legend)
    assert len(set(found)) == len(legend)
    assert all(word and word.split() == [word] for word in found)
    assert found[0] == "bare_soil"
    assert found[-2:] == ["水", "3"]


@pytest.mark.parametrize("lazy", [False, True])
def test_places_are_the_commands_to_the_last_bit(lazy: bool, tmp_path: Path) -> None:  # noqa: FBT001
    given = array().chunk({"y": 50}) if lazy else array()
    found, said = landmix_model().classify_xarray(given), opened(world()[1])
    assert found.rio.crs == said.rio.crs
    assert found.rio.transform() == said.rio.transform()
    assert found.rio.nodata == said.rio.nodata == 0
    assert found._FillValue.dtype == np.uint8
    xr.testing.assert_identical(found.x, given.x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.rio.to_raster(tmp_path / "own.tif")
    with rasterio.open(tmp_path / "own.tif") as own, rasterio.open(world()[1]) as command:
        assert (own.crs, own.transform, own.nodata, own.dtypes) == (
            command.crs,
            command.transform,
            command.nodata,
            command.dtypes,
        )
        np.testing.assert_array_equal(own.read(), command.read())


def test_a_part_of_an_array_lies_where_it_lies() -> None:
    whole = array()
    part = landmix_model().classify_xarray(whole.isel(y=slice(7, 60), x=slice(20, 21)))
    assert part.rio.transform() == whole.rio.transform() @ whole.rio.transform().translation(20, 7)
    coarse = landmix_model().classify_xarray(whole.isel(y=slice(0, None, 3), x=slice(0, None, 3)))
    assert coarse.rio.transform().a == 30
    assert coarse.rio.transform() @ (0.5, 0.5) == (whole.x[0], whole.y[0])
    assert whole.rio.transform().a == 10


def test_without_a_place() -> None:
    given = bare().assign_coords(band=["red", "nir"])
    found = landmix_model().classify_xarray(given)
    assert found.rio.crs is None
    assert "spatial_ref" not in found.coords
    assert not found.coords
    placed = given.rio.write_crs("EPSG:32633")
    assert landmix_model().classify_xarray(placed).rio.crs.to_epsg() == 32633
