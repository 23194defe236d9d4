"""landmix qgis: the algorithm "Classify with landmix" in QGIS's toolbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from landmix.qgis.install import find_profile, install

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.settings import QgisSettings


def qgis(settings: QgisSettings, progress: Progress) -> None:
    """Install the Processing script. Raises `LandmixError` where there is no profile or it cannot be written."""
    profile = find_profile() if settings.profile is None else Path(settings.profile)
    target = install(profile, overwrite=settings.overwrite)
    progress.say(
        f"{target}: installed. Start QGIS (again, if it runs) and open Processing > Toolbox > Scripts > landmix >"
        " Classify with landmix"
    )
