"""All figures of the reports."""

from landmix.report.bars import area, estimates
from landmix.report.curves import curves
from landmix.report.distances import distances
from landmix.report.matrix import confusion
from landmix.report.placemap import places
from landmix.report.places import Places
from landmix.report.reliability import reliability
from landmix.report.spectra import spectra
from landmix.report.sweep import sweep

__all__ = [
    "Places",
    "area",
    "confusion",
    "curves",
    "distances",
    "estimates",
    "places",
    "reliability",
    "spectra",
    "sweep",
]
