"""Scenes drawn from a seed, with their truth: one that looks real, and one whose best accuracy is known exactly."""

from landmix.demo.files import DemoFiles, write_demo
from landmix.demo.landscape import DemoScene, make_scene
from landmix.demo.spectra import BANDS, LEGEND
from landmix.demo.two_class import TWO_CLASSES, best_accuracy, write_two_class

__all__ = [
    "BANDS",
    "LEGEND",
    "TWO_CLASSES",
    "DemoFiles",
    "DemoScene",
    "best_accuracy",
    "make_scene",
    "write_demo",
    "write_two_class",
]
