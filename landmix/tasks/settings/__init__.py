"""What can be set of each task; the command line fills these from `conf/`, anybody else by hand.

Values are checked where they are made: a setting that exists is valid.
"""

from landmix.tasks.settings.maps import EvaluateSettings, SampleSettings, ViewSettings
from landmix.tasks.settings.models import ExportSettings, InspectSettings, QgisSettings, VerifySettings
from landmix.tasks.settings.predict import ExecutorSettings, FinishSettings, PredictTask, ReadOverrides, TilingSettings
from landmix.tasks.settings.train import (
    DataSettings,
    DemoSettings,
    LoggerSettings,
    TrainerSettings,
    TrainSettings,
    ValidationSettings,
)
from landmix.tasks.settings.words import NetFile

__all__ = [
    "DataSettings",
    "DemoSettings",
    "EvaluateSettings",
    "ExecutorSettings",
    "ExportSettings",
    "FinishSettings",
    "InspectSettings",
    "LoggerSettings",
    "NetFile",
    "PredictTask",
    "QgisSettings",
    "ReadOverrides",
    "SampleSettings",
    "TilingSettings",
    "TrainSettings",
    "TrainerSettings",
    "ValidationSettings",
    "VerifySettings",
    "ViewSettings",
]
