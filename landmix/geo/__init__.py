"""Rasters and vectors as files: the only place that knows rasterio and pyogrio; knows no torch."""

import warnings

from rasterio.errors import NotGeoreferencedWarning

# landmix says in its own words when a scene has no georeference; rasterio would say it at every open.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
