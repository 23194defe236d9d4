"""Messages without a case, by file and words, and why. Each reason should be short, and the list too."""

from __future__ import annotations

_CODE = "tells programmers of a mistake in the code; no file and no setting leads there"
_QGIS = "shown by QGIS's own window; tests/qgis runs it there"
_FAULT = "only a disk that fails in the middle leads there"
_ODD = "tests/odd and tests/geo provoke it with files of their own"
_FAULTS = "tests/faults provokes it, and says so there"

_WORSE = (
    "calibration made the confidence worse on the validation part (expected calibration error …): the parts are too"
    " few, or too unlike each other; calibration.folds=0 leaves it out"
)

UNPROVOKED: dict[tuple[str, str], str] = {
    ("__init__.py", "module 'landmix' has no attribute '…'"): "Python's own words for a name that is not there",
    ("accuracy/area.py", "clusters are drawn from one stratum, the whole map"): _CODE,
    ("accuracy/area.py", "stratum … has … units, of which the sample has none"): _CODE,
    ("accuracy/confusion.py", "… classes need a square confusion matrix, not …"): _CODE,
    ("accuracy/applicability.py", "the training points are all alike: there is no distance to compare with"): _CODE,
    (
        "accuracy/applicability.py",
        "the training points lie in one fold: how far new places are from them is not known",
    ): _CODE,
    ("tasks/trust.py", _WORSE): "needs parts that contradict each other; tests/training/test_training_trust.py",
    ("geo/beside.py", "…, which belongs to …, is no regular file: remove it"): "needs a pipe; tests/geo",
    ("model_file.py", "its parts are compressed, or overlap"): "the cause of another message; tests/seam",
    ("nn/describe.py", "… gives … of any tile, not a row for each row"): (
        "needs a network that inspect cannot describe"
    ),
    ("nn/describe.py", "… sums over … numbers of one tile and … of another"): (
        "needs a network that inspect cannot describe"
    ),
    ("nn/plugin.py", "net.plugin=… changed while it was used: run the command again"): (
        "needs a file that changes between two looks"
    ),
    ("nn/reference.py", "a reference has one mean and scale a feature and 1 to … points"): (
        "the shapes of a file are refused before"
    ),
    ("training/fit.py", "the margin of net.plugin=… must not depend on the number of bands"): (
        "needs a network whose margin changes with a band that is left out"
    ),
    (
        "classify/cluster.py",
        "device=cuda needs dask workers that were started with --resources GPU=1, but there is none",
    ): "needs a GPU",
    (
        "classify/cluster.py",
        "… failed and is tried again: …",
    ): "needs a cluster; tests/classify/test_classify_cluster.py",
    ("classify/part.py", "what was written reads back different"): _FAULT,
    ("core/bands.py", "the band name '…' stands … times in …: choose by number"): "equal names are refused before",
    ("core/tiling.py", "a tiling needs core >= 1 and margin >= 0, not … and …"): _CODE,
    ("core/tiling.py", "a tiling of … rows cannot be cut … pixels early"): _CODE,
    ("core/window.py", "a window has at least 1 x 1 pixels, not … x …"): _CODE,
    ("demo/landscape.py", "a demo scene has at least … x … pixels, not … x …"): "the setting size is refused before",
    ("demo/two_class.py", "a two-class scene needs size, bands and field of at least 1, not …, … and …"): _CODE,
    ("engines/gpu_torch.py", "the GPU's memory is full with a single tile: choose device=cpu, or free the GPU"): (
        "needs a GPU"
    ),
    ("geo/ground.py", "the CRS … has no place on earth, so distances there are not known: remove it first"): (
        "needs a CRS that is on no planet; tests/geo/test_geo_ground.py"
    ),
    ("geo/scene.py", "… has no band …: it has …"): "bands that are missing are refused before",
    ("geo/writing.py", "cannot write …: what was written reads back different"): _FAULT,
    ("nn/describe.py", "… gives … of one tile and … of another, not a row for each row"): _CODE,
    (
        "qgis/classify_with_landmix.py",
        "cannot start … (…): run landmix qgis again where landmix is installed now",
    ): _QGIS,
    (
        "qgis/classify_with_landmix.py",
        "cannot write … (…): remove its layer from the project, or choose another name",
    ): _QGIS,
    ("qgis/classify_with_landmix.py", "landmix ended with exit code …"): _QGIS,
    (
        "qgis/classify_with_landmix.py",
        "landmix reads whole raster files, but the layer … is …: export it to a GeoTIFF first",
    ): _QGIS,
    ("qgis/classify_with_landmix.py", "landmix writes GeoTIFFs: give … a name that ends with .tif"): _QGIS,
    (
        "qgis/classify_with_landmix.py",
        "this file is only a template: install the algorithm with the command landmix qgis",
    ): _QGIS,
    (
        "qgis/classify_with_landmix.py",
        "… would share its name, and so its style, with …: choose another name for the output",
    ): _QGIS,
    ("report/places.py", "each … of … must lie in 0 to …, not … to …"): _CODE,
    (
        "report/places.py",
        "places need a shape of at least 1 x 1 and as many rows as columns and parts, not …, …, … and …",
    ): _CODE,
    ("training/fit.py", "every band is constant over the training pixels of this part: nothing can be learnt"): (
        "needs bands that are constant in one fold only"
    ),
    ("view/sources.py", "scene must name the one scene of the map …, not …: files of one scene are [[a,b]]"): (
        "several scenes are refused before, because the command gives the scene a name"
    ),
    (
        "cli/main.py",
        "the settings cannot be put together: … (landmix … --help shows what it takes)",
    ): "tests/fuzz provokes it with made up overrides",
    ("files.py", "cannot read …: it is no regular file"): _ODD,
    (
        "files.py",
        "… is a link to …, and landmix writes no file through or over a link: remove it, or choose another name",
    ): _FAULTS,
    ("geo/georeference.py", "a GeoTIFF cannot hold the georeference of … (…): mend it first"): _ODD,
    ("geo/georeference.py", "a GeoTIFF cannot hold the … of … (…): bring it into a common CRS first"): _ODD,
    ("geo/legends.py", "the legend … has more than … bytes; one has a few thousand"): _ODD,
    ("geo/limits.py", "… has …, and … are allowed: lift that with limits.…=…"): _ODD,
    ("geo/paths.py", "the list … of … has more than … bytes, too many for names of files"): _ODD,
    ("geo/vector_kinds.py", "… describes a raster elsewhere: give the labels themselves"): _ODD,
    (
        "geo/vector_kinds.py",
        "… is a … file, which landmix does not read as labels: convert it to a GeoPackage first",
    ): _ODD,
    ("geo/vectors.py", "… cannot be brought into the CRS of the scene: …"): _ODD,
    (
        "geo/verifying.py",
        (
            "… does not carry the sha256 of its bytes, so nobody can say whether it is as it was written:"
            " make it again with overwrite=true"
        ),
    ): _FAULTS,
    (
        "geo/verifying.py",
        "… is damaged or was changed: its bytes are not those that landmix wrote; make it again with overwrite=true",
    ): _FAULTS,
    ("geo/verifying.py", "… is damaged: not every block can be read (…); make it again with overwrite=true"): _FAULTS,
    (
        "geo/verifying.py",
        "… is no map of landmix: it does not say what made it, so there is nothing to compare it with",
    ): _FAULTS,
    ("geo/whole.py", "what was written reads back different"): _FAULT,
    ("model_file.py", "the model … is damaged: it is not as it was written"): _FAULTS,
    ("safetensors_file.py", "its header holds …, which no model has"): "tests/seam damages such files in many ways",
    ("seal.py", "there is no place for a seal in …"): _CODE,
}
