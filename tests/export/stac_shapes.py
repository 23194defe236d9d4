"""The documents that landmix writes, as JSON schemas: what the STAC extensions ask of them, in our own words."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def shape(required: str = "", **fields: Any) -> Document:
    """An object with these fields, of which some are required and no others with a prefix of ours are known."""
    return {"type": "object", "required": required.split(), "properties": fields}


def listed(items: Any, least: int = 1, **more: Any) -> Document:
    return {"type": "array", "items": items, "minItems": least, **more}


def one(*values: Any) -> Document:
    return {"enum": list(values)}


NUMBER, TEXT = {"type": "number"}, {"type": "string", "minLength": 1}
WHOLE = {"type": "integer", "minimum": 0}
NODATA = {"anyOf": [NUMBER, one("nan", "inf", "-inf")]}
TYPES = one("uint8", "uint16", "float32")
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
LINK = shape("rel href", href={**TEXT, "pattern": r"^[^#?]+$"}, rel=TEXT, type=TEXT, title=TEXT)

COMMON = (
    "pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075", "rededge078",
    "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12",
)  # fmt: skip

CLASS = shape(
    "value name title description",
    value={"type": "integer", "minimum": 0, "maximum": 65535},
    name={"type": "string", "pattern": "^[0-9A-Za-z_-]+$"},
    title=TEXT,
    description=TEXT,
    color_hint={"type": "string", "pattern": "^[0-9A-F]{6}$"},
    nodata={"type": "boolean"},
) | {"additionalProperties": False}
CLASSES = listed(CLASS, uniqueItems=True)

BAND = shape(
    "name",
    name=TEXT,
    unit=TEXT,
    nodata=NODATA,
    description=TEXT,
    **{
        "eo:center_wavelength": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
        "eo:full_width_half_max": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
        "eo:common_name": one(*COMMON),
        "raster:scale": NUMBER,
        "raster:offset": NUMBER,
    },
) | {"additionalProperties": False}

STRUCTURE = shape(
    "shape dim_order data_type",
    shape={
        "type": "array",
        "items": {"type": "integer", "not": {"const": 0}, "minimum": -1},
        "minItems": 4,
        "maxItems": 4,
    },
    dim_order={"type": "array", "items": {"type": "string", "pattern": "^[a-z-_]+$"}, "uniqueItems": True},
    data_type=one("float32"),
)
EXPRESSION = shape("format expression", format=TEXT, expression={})
REFERENCE = {"anyOf": [TEXT, shape("name format expression", name=TEXT, format=TEXT) | {"maxProperties": 3}]}
INPUT = shape(
    "name bands input value_scaling pre_processing_function",
    name=TEXT,
    description=TEXT,
    bands=listed(REFERENCE),
    input={"allOf": [STRUCTURE, shape(dim_order={"const": ["batch", "bands", "height", "width"]})]},
    value_scaling=listed(shape("type mean stddev", type=one("z-score"), mean=NUMBER, stddev=NUMBER)),
    resize_type={"type": "null"},
    pre_processing_function=EXPRESSION,
)
OUTPUT = shape(
    "name tasks result classification:classes",
    name=TEXT,
    description=TEXT,
    tasks={"const": ["semantic-segmentation"]},
    result={"allOf": [STRUCTURE, shape(dim_order={"const": ["batch", "class", "height", "width"]})]},
    post_processing_function=EXPRESSION,
    **{"classification:classes": CLASSES},
)
MODEL_PROPERTIES = shape(
    "mlm:name mlm:architecture mlm:tasks mlm:input mlm:output mlm:framework mlm:total_parameters bands",
    bands=listed(BAND),
    **{
        "mlm:name": {"type": "string", "pattern": r"^[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]$"},
        "mlm:architecture": TEXT,
        "mlm:tasks": {"const": ["semantic-segmentation"]},
        "mlm:framework": one("PyTorch"),
        "mlm:framework_version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+(\+[0-9A-Za-z.-]+)?$"},
        "mlm:memory_size": WHOLE,
        "mlm:total_parameters": {"type": "integer", "minimum": 1},
        "mlm:pretrained": one(False),  # noqa: FBT003
        "mlm:pretrained_source": {"type": "null"},
        "mlm:batch_size_suggestion": WHOLE,
        "mlm:accelerator": {"type": "null"},
        "mlm:accelerator_constrained": {"type": "boolean"},
        "mlm:accelerator_summary": TEXT,
        "mlm:input": {**listed(INPUT), "maxItems": 1},
        "mlm:output": {**listed(OUTPUT), "maxItems": 1},
        "mlm:hyperparameters": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": r"^[0-9a-zA-Z_.-]+$"},
        },
    },
) | {"patternProperties": {"^(?!mlm:)": {}}, "additionalProperties": False}
MODEL_ASSET = shape(
    "href type roles bands mlm:artifact_type file:size file:checksum",
    roles={"type": "array", "contains": {"const": "mlm:model"}},
    bands=listed(shape("name", name=TEXT)),
    **{
        "mlm:artifact_type": one("torch.save", "safetensors.torch.save_file"),
        "file:size": WHOLE,
        "file:checksum": {"type": "string", "pattern": "^1220[0-9a-f]{64}$"},
        "mlm:name": False,
        "mlm:input": False,
        "mlm:output": False,
    },
)

MAP_PROPERTIES = shape(
    "proj:code proj:shape processing:software landmix:digest landmix:model landmix:datetime_from",
    gsd={"type": "number", "exclusiveMinimum": 0},
    **{
        "proj:code": {"type": ["string", "null"], "pattern": r"^[A-Z]+:\w+$"},
        "proj:wkt2": TEXT,
        "proj:shape": listed({"type": "integer", "minimum": 1}, 2, maxItems=2),
        "proj:bbox": listed(NUMBER, 4, maxItems=4),
        "proj:transform": listed(NUMBER, 6, maxItems=6),
        "processing:software": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
    },
) | {"patternProperties": {"^(?!proj:|processing:)": {}}, "additionalProperties": False}
LAYER = shape(
    "title type roles data_type nodata bands raster:sampling",
    type=one("image/tiff; application=geotiff; profile=cloud-optimized"),
    roles={"type": "array", "contains": {"const": "data"}},
    data_type=TYPES,
    nodata=NODATA,
    unit=TEXT,
    bands=listed(shape("name", name=TEXT)),
    **{
        "raster:sampling": one("area", "point"),
        "raster:scale": NUMBER,
        "raster:offset": NUMBER,
        "raster:spatial_resolution": {"type": "number", "exclusiveMinimum": 0},
        "classification:classes": CLASSES,
        "file:size": WHOLE,
    },
) | {"patternProperties": {"^(?!raster:|classification:|file:)": {}}, "additionalProperties": False}
MAP_ASSET = {"allOf": [LAYER, {"required": ["href", "file:size"]}]}
LAYERS = {"propertyNames": one("classes", "confidence", "gap", "probabilities"), "required": ["classes"]}

ITEM = shape(
    "type stac_version stac_extensions id geometry properties links assets",
    type=one("Feature"),
    stac_version=one("1.1.0"),
    id=TEXT,
    links={"type": "array", "items": LINK},
    properties=shape(
        "datetime", datetime={"anyOf": [MOMENT, {"type": "null"}]}, start_datetime=MOMENT, end_datetime=MOMENT
    ),
)
MODEL = {"allOf": [ITEM, shape(properties=MODEL_PROPERTIES, assets=shape("model", model=MODEL_ASSET))]}
MAP = {
    "allOf": [
        ITEM,
        shape("collection", properties=MAP_PROPERTIES, assets={**LAYERS, "additionalProperties": MAP_ASSET}),
    ]
}
COLLECTION = shape(
    "type stac_version stac_extensions id description license extent links item_assets summaries",
    type=one("Collection"),
    stac_version=one("1.1.0"),
    id=TEXT,
    license=one("other"),
    links={"type": "array", "items": LINK},
    item_assets={"type": "object", "additionalProperties": {"not": {"required": ["href"]}}},
    extent=shape(
        "spatial temporal",
        spatial=shape("bbox", bbox=listed(listed(NUMBER, 4, maxItems=4))),
        temporal=shape("interval", interval=listed(listed({"type": ["string", "null"]}, 2, maxItems=2))),
    ),
)
