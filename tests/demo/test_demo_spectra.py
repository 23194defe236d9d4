from __future__ import annotations

import numpy as np
import pytest

from landmix.demo import BANDS, LEGEND
from landmix.demo.spectra import directions, mean_spectra

PLANTS = ("broadleaf", "needleleaf", "crop", "grass")


def _mean(class_name: str, band: str) -> float:
    return float(mean_spectra()[LEGEND.names.index(class_name), BANDS.names.index(band)])


def _ndvi(class_name: str) -> float:
    near_infrared, red = _mean(class_name, "B08"), _mean(class_name, "B04")
    return (near_infrared - red) / (near_infrared + red)


def test_bands_are_those_of_sentinel_2_in_order_of_wavelength() -> None:
    wavelengths = [band.wavelength or 0.0 for band in BANDS]
    assert len(BANDS) == 12
    assert wavelengths == sorted(wavelengths)
    assert [band.number for band in BANDS] == list(range(1, 13))


@pytest.mark.parametrize("name", PLANTS)
def test_plants_have_green_bump_red_edge_and_water_absorption(name: str) -> None:
    assert _ndvi(name) > 0.65
    assert _mean(name, "B02") < _mean(name, "B03") > _mean(name, "B04")
    assert _mean(name, "B04") < _mean(name, "B05") < _mean(name, "B06") < _mean(name, "B07")
    assert _mean(name, "B08") > _mean(name, "B11") > _mean(name, "B12")


def test_forests_are_darker_than_fields_and_needleleaf_is_darkest() -> None:
    ordered = sorted(PLANTS, key=lambda name: _mean(name, "B08"))
    assert ordered[:2] == ["needleleaf", "broadleaf"]


def test_water_falls_to_nothing_in_the_infrared() -> None:
    assert _ndvi("water") < 0
    assert _mean("water", "B03") > _mean("water", "B08") > _mean("water", "B12")
    assert _mean("water", "B12") < 0.01


def test_soil_rises_to_the_short_wave_infrared() -> None:
    spectrum = mean_spectra()[LEGEND.names.index("bare soil")]
    assert np.all(np.diff(spectrum[:-1]) > 0)
    assert 0 < _ndvi("bare soil") < 0.3


def test_spectra_stay_physical_three_deviations_out() -> None:
    spread = 3 * np.linalg.norm(directions(), axis=1)
    assert np.all(mean_spectra() > 0)
    assert np.all(mean_spectra() + spread < 1)


def test_legend_counts_from_one() -> None:
    assert [c.value for c in sorted(LEGEND, key=lambda c: c.name)] == [1, 2, 3, 4, 5, 6, 7]
    assert LEGEND.nodata == 0
