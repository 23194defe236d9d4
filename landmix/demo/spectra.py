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
        LegendClass(value=1, name="water", color="#2b6cb0"),
        LegendClass(value=2, name="broadleaf forest", color="#4caf50"),
        LegendClass(value=3, name="needleleaf forest", color="#1b5e20"),
        LegendClass(value=4, name="crop", color="#f2c94c"),
        LegendClass(value=5, name="grass", color="#9ccc65"),
        LegendClass(value=6, name="bare soil", color="#b07d4f"),
        LegendClass(value=7, name="built-up", color="#d64541"),
    )
)


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


#       B01   B02   B03   B04   B05   B06   B07   B08   B8A   B09   B11   B12
VIGOUR = (-.003, -.004, -.004, -.010, -.008, .020, .032, .035, .036, .036, -.008, -.010)
"""More chlorophyll and leaf area: red falls, the near-infrared plateau rises."""
MOISTURE = (-.001, -.001, -.001, -.002, -.002, -.001, -.001, -.002, -.003, -.008, -.025, -.022)
"""More liquid water: the short-wave infrared falls."""
SEDIMENT = (.002, .005, .010, .011, .010, .006, .005, .004, .003, .002, .000, .000)
"""Suspended matter in water: green and red rise."""
GLINT = (.004, .004, .004, .004, .004, .004, .004, .004, .004, .004, .004, .003)
"""Sky and sun reflected by waves: the same in all bands."""
IRON = (-.004, -.004, .000, .009, .010, .009, .008, .007, .006, .006, .004, .004)
"""Iron oxide in soil and roof tiles: blue falls, red rises."""

SPECTRA = {
    "water": ClassSpectrum(
        mean=(.040, .044, .047, .032, .027, .021, .019, .017, .015, .012, .008, .006),
        shade=.08,
        first=SEDIMENT,
        second=GLINT,
    ),
    "broadleaf forest": ClassSpectrum(
        mean=(.020, .026, .048, .027, .078, .220, .275, .290, .305, .305, .150, .068),
        shade=.13,
        first=_times(.8, VIGOUR),
        second=_times(.5, MOISTURE),
    ),
    "needleleaf forest": ClassSpectrum(
        mean=(.017, .022, .038, .024, .062, .168, .210, .223, .234, .234, .112, .052),
        shade=.13,
        first=_times(.8, VIGOUR),
        second=_times(.5, MOISTURE),
    ),
    "crop": ClassSpectrum(
        mean=(.030, .039, .071, .046, .108, .275, .355, .375, .392, .392, .200, .105),
        shade=.08,
        first=_times(1.3, VIGOUR),
        second=_times(0.9, MOISTURE),
    ),
    "grass": ClassSpectrum(
        mean=(.033, .042, .074, .057, .115, .246, .304, .324, .342, .342, .232, .132),
        shade=.08,
        first=_times(1.1, VIGOUR),
        second=_times(0.9, MOISTURE),
    ),
    "bare soil": ClassSpectrum(
        mean=(.062, .079, .108, .138, .158, .175, .190, .205, .218, .228, .290, .245),
        shade=.16,
        first=IRON,
        second=MOISTURE,
    ),
    "built-up": ClassSpectrum(
        mean=(.072, .089, .112, .136, .153, .174, .190, .205, .214, .220, .262, .225),
        shade=.17,
        first=IRON,
        second=MOISTURE,
    ),
}
"""By class name. The own causes are vigour and moisture of plants, sediment and glint of water, iron and moisture else."""


def mean_spectra() -> NDArray[np.float32]:
    """(class, band): mean reflectance in the order of `LEGEND` and `BANDS`."""
    return np.asarray([SPECTRA[name].mean for name in LEGEND.names], np.float32)


def directions() -> NDArray[np.float32]:
    """(class, 3, band): reflectance change at one deviation of each cause, in the order of `LEGEND` and `BANDS`."""
    return np.stack([SPECTRA[name].directions for name in LEGEND.names])
