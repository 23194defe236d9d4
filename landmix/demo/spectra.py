"""What the demo's classes look like to Sentinel-2: bands, legend, mean spectra and how they vary inside a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spectrum = tuple[float, ...]

BANDS = BandSet(
    tuple(
        Band(name=name, wavelength=wavelength, width=width, number=number)
        for number, (name, wavelength, width) in enumerate(
            (
                ("B01", 442.7, 21.0),
                ("B02", 492.4, 66.0),
                ("B03", 559.8, 36.0),
                ("B04", 664.6, 31.0),
                ("B05", 704.1, 15.0),
                ("B06", 740.5, 15.0),
                ("B07", 782.8, 20.0),
                ("B08", 832.8, 106.0),
                ("B8A", 864.7, 21.0),
                ("B09", 945.1, 20.0),
                ("B11", 1613.7, 91.0),
                ("B12", 2202.4, 175.0),
            ),
            start=1,
        )
    )
)
"""The twelve bands of a Sentinel-2A surface reflectance product (L2A; B10 sees only cirrus and is not in it)."""

LEGEND = Legend(
    (
        LegendClass(value=7, name="water", color="#2b6cb0"),
        LegendClass(value=2, name="broadleaf", color="#4caf50"),
        LegendClass(value=6, name="needleleaf", color="#1b5e20"),
        LegendClass(value=4, name="crop", color="#f2c94c"),
        LegendClass(value=5, name="grass", color="#9ccc65"),
        LegendClass(value=1, name="bare soil", color="#b07d4f"),
        LegendClass(value=3, name="built-up", color="#d64541"),
    )
)
"""Values are those that a model gets from the polygons, whose names it sorts: map and truth then agree by value too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSpectrum:
    """Reflectance of one class; all spectra are in the order of `BANDS`."""

    mean: Spectrum
    """Mean reflectance, 0 to 1."""
    shade: float
    """Deviation of the brightness (slope, crown shadow, roughness) as a share of the mean."""
    first: Spectrum
    """Change of reflectance at one deviation of the class's first own cause: see `SPECTRA`."""
    second: Spectrum
    """The same for its second cause."""

    @property
    def directions(self) -> NDArray[np.float32]:
        """(3, band): change of reflectance at one deviation of brightness, first and second cause."""
        return np.asarray([[self.shade * value for value in self.mean], self.first, self.second], np.float32)


def _times(factor: float, spectrum: Spectrum) -> Spectrum:
    return tuple(factor * value for value in spectrum)


# B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12
VIGOUR = (-0.003, -0.004, -0.004, -0.010, -0.008, 0.020, 0.032, 0.035, 0.036, 0.036, -0.008, -0.010)
"""More chlorophyll and leaf area: red falls, the near-infrared plateau rises."""
MOISTURE = (-0.001, -0.001, -0.001, -0.002, -0.002, -0.001, -0.001, -0.002, -0.003, -0.008, -0.025, -0.022)
"""More liquid water: the short-wave infrared falls."""
SEDIMENT = (0.002, 0.005, 0.010, 0.011, 0.010, 0.006, 0.005, 0.004, 0.003, 0.002, 0.000, 0.000)
"""Suspended matter in water: green and red rise."""
GLINT = (0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.003)
"""Sky and sun reflected by waves: the same in all bands."""
IRON = (-0.004, -0.004, 0.000, 0.009, 0.010, 0.009, 0.008, 0.007, 0.006, 0.006, 0.004, 0.004)
"""Iron oxide in soil and roof tiles: blue falls, red rises."""

SPECTRA = {
    "water": ClassSpectrum(
        mean=(0.040, 0.044, 0.047, 0.032, 0.027, 0.021, 0.019, 0.017, 0.015, 0.012, 0.008, 0.006),
        shade=0.08,
        first=SEDIMENT,
        second=GLINT,
    ),
    "broadleaf": ClassSpectrum(
        mean=(0.020, 0.026, 0.048, 0.027, 0.078, 0.220, 0.275, 0.290, 0.305, 0.305, 0.150, 0.068),
        shade=0.13,
        first=_times(0.8, VIGOUR),
        second=_times(0.5, MOISTURE),
    ),
    "needleleaf": ClassSpectrum(
        mean=(0.017, 0.022, 0.038, 0.024, 0.062, 0.168, 0.210, 0.223, 0.234, 0.234, 0.112, 0.052),
        shade=0.13,
        first=_times(0.8, VIGOUR),
        second=_times(0.5, MOISTURE),
    ),
    "crop": ClassSpectrum(
        mean=(0.030, 0.039, 0.071, 0.046, 0.108, 0.275, 0.355, 0.375, 0.392, 0.392, 0.200, 0.105),
        shade=0.08,
        first=_times(1.3, VIGOUR),
        second=_times(0.9, MOISTURE),
    ),
    "grass": ClassSpectrum(
        mean=(0.033, 0.042, 0.074, 0.057, 0.115, 0.246, 0.304, 0.324, 0.342, 0.342, 0.232, 0.132),
        shade=0.08,
        first=_times(1.1, VIGOUR),
        second=_times(0.9, MOISTURE),
    ),
    "bare soil": ClassSpectrum(
        mean=(0.062, 0.079, 0.108, 0.138, 0.158, 0.175, 0.190, 0.205, 0.218, 0.228, 0.290, 0.245),
        shade=0.16,
        first=IRON,
        second=MOISTURE,
    ),
    "built-up": ClassSpectrum(
        mean=(0.072, 0.089, 0.112, 0.136, 0.153, 0.174, 0.190, 0.205, 0.214, 0.220, 0.262, 0.225),
        shade=0.17,
        first=IRON,
        second=MOISTURE,
    ),
}
"""By class name. Own causes: vigour and moisture of plants, sediment and glint of water, iron and moisture else."""


def mean_spectra() -> NDArray[np.float32]:
    """(class, band): mean reflectance in the order of `LEGEND` and `BANDS`."""
    return np.asarray([SPECTRA[name].mean for name in LEGEND.names], np.float32)


def directions() -> NDArray[np.float32]:
    """(class, 3, band): reflectance change at one deviation of each cause, in the order of `LEGEND` and `BANDS`."""
    return np.stack([SPECTRA[name].directions for name in LEGEND.names])
