"""A model as people read it on a console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.tasks.columns import columns, harmless, said, some, wrapped
from landmix.tasks.tables import overall, share

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = 28
"""Letters of a name in a table."""

_STRANGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What a record raises that landmix has not written."""


def model_text(facts: dict[str, Any], paint: Callable[[str], str]) -> str:
    """What `model_facts` found, at most 80 columns; `paint` turns `#rrggbb` into a patch of that colour, or nothing."""
    sees, file = facts["network"]["sees"], facts["file"]
    reach = f"sees {sees[0]} x {sees[1]} pixels" if sees else "of a network that is not here"
    told = " of fractions" if facts["task"] == "fractions" else ""
    head = f"landmix model{told} {facts['sha256'][:16]}: {facts['parameters']:,} parameters, {reach}"
    sections: dict[str, Callable[[], list[str]]] = {
        "file": lambda: [f"{file['format']}, {file['bytes']:,} bytes"],
        "bands": lambda: _bands(facts),
        "classes": lambda: _classes(facts, paint),
        "network": lambda: _network(facts["network"]),
        "training": lambda: _training(facts["training"], facts["read"]),
        "validation": lambda: _validation(facts["accuracy"]),
        "confidence": lambda: _confidence(facts),
    }
    lines = [head]
    for name, section in sections.items():
        try:
            found = section()
        except _STRANGE:
            found = [f"{name}: not as landmix writes it"]
        lines += [f"  {line}" for line in found]
        lines += [""] if len(found) > 1 else []
    return "\n".join(lines).rstrip()


def _bands(facts: dict[str, Any]) -> list[str]:
    """A line a band, in the order of the network's channels, and the formulas of those that are computed."""
    rows = [("no", "band", "nm", "unit", "mean", "deviation")]
    for number, band in enumerate(facts["bands"], start=1):
        nm = "" if band["wavelength_nm"] is None else f"{band['wavelength_nm']:g}"
        unit = harmless(band["unit"] or "unknown", 16)
        figures = (f"{band['mean']:.4g}", f"{band['std']:.4g}")
        rows.append((str(number), harmless(band["name"], _NAME), nm, unit, *figures))
    lines = columns(rows, left={1, 3})
    for band in facts["bands"]:
        if "formula" in band:
            letters = ", ".join(f"{letter} = {harmless(name, _NAME)}" for letter, name in band["inputs"].items())
            lines += said(harmless(band["name"], _NAME), f"{harmless(band['formula'])} with {letters}")
    return lines


def _classes(facts: dict[str, Any], paint: Callable[[str], str]) -> list[str]:
    trained = facts["accuracy"].get("trained_on", {})
    rows = [("value", "colour", "class", "pixels trained on")]
    rows += [
        (str(c["value"]), c["color"], harmless(c["name"], 40), _count(trained.get(c["name"]))) for c in facts["classes"]
    ]
    patches = ["", *(paint(c["color"]) for c in facts["classes"])]
    lines = columns(rows, left={1, 2})
    return [f"{line}  {patch}".rstrip() for line, patch in zip(lines, patches, strict=True)]


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _network(network: dict[str, Any]) -> list[str]:
    """A line a layer under the name of the part it belongs to, and the totals."""
    own = network["settings"].get("own")
    head = (
        said("network of your own", f"{harmless(own['name'])}, in a file of sha256 {own['sha256'][:16]}") if own else []
    )
    if own and network["sees"] is None:
        head += wrapped("name its file with net.plugin=FILE to see its layers")
    return head + (_layers(network) if network["layers"] else [])


def _layers(network: dict[str, Any]) -> list[str]:
    names = [_name(layer["name"]) for layer in network["layers"]]
    rows: list[tuple[str, ...]] = [("layer", "kind", "output", "sees", "parameters", "mult-adds")]
    for layer, (_, name) in zip(network["layers"], names, strict=True):
        added = f"{layer['multiply_adds']:,}" if layer["multiply_adds"] else ""
        rows.append((f"  {name}", _kind(layer), layer["output"], _by(layer["sees"]), _sum(layer, network), added))
    sums = [f"{network[key]:,}" for key in ("parameters", "multiply_adds")]
    rows.append(("sum", "", "", _by(network["sees"]), *sums))
    head, *lines, total = columns(rows, left={0, 1, 2, 3})
    found, before = [head], ""
    for line, (part, _) in zip(lines, names, strict=True):
        found += [line] if part == before else [part, line]
        before = part
    thousands = 2 * network["multiply_adds"] / 1000
    note = f"{thousands:,.1f} kFLOP a pixel, two each mult-add; outputs are those of H x W pixels"
    return [*found, total, note]


def _name(name: str) -> tuple[str, str]:
    """A layer's part of the network and its name there: `head.blocks.0` and `reduce.0`, `head` and `classifier`."""
    words = name.split(".")
    own = min(2, len(words) - 1)
    return ".".join(words[:-own]), ".".join(words[-own:])


def _sum(layer: dict[str, Any], network: dict[str, Any]) -> str:
    """`9*16*16 = 2,304`, the result as wide as the network's."""
    width = len(f"{network['parameters']:,}")
    return f"{layer['arithmetic']} = {layer['parameters']:>{width},}" if layer["parameters"] else ""


def _kind(layer: dict[str, Any]) -> str:
    """`conv 3x3`, and what else is not ordinary."""
    words = [layer["kind"].removeprefix("batch ")]
    words += [_by(layer["kernel"])] if layer["kernel"] else []
    words += [f"every {max(layer['dilation'])}"] if max(layer["dilation"]) > 1 else []
    words += [f"/{layer['groups']}"] if layer["groups"] > 1 else []
    return " ".join(words)


def _by(pair: list[int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def _training(training: dict[str, Any], read: dict[str, Any]) -> list[str]:
    scenes, labels = ([entry["name"] for entry in training.get(key, [])] for key in ("scenes", "labels"))
    lines = said("trained on", f"{some(scenes)}; labels: {some(labels)}") if scenes else []
    grids = dict.fromkeys(f"{g['crs'] or 'no CRS'}, {_pixel(g['pixel_m'])}" for g in training.get("grids", []))
    lines += said("where", some(list(grids), 3)) if grids else []
    if training.get("bands_left_out"):
        lines += said("bands left out (nodata or constant)", some(training["bands_left_out"], 12))
    told = {key: value for key, value in read.items() if value not in (None, "auto", "clear", 0, False, "bilinear")}
    lines += said("scenes were read with", _settings(told)) if told else []
    run = {key: value for key, value in training.items() if key in {"seed", "epochs"}}
    lines += said("run", _settings(run)) if run else []
    for name, part in training.get("settings", {}).items():
        lines += said(harmless(name, _NAME), _settings(part))
    return lines + (said("versions", _settings(training["versions"])) if "versions" in training else [])


def _pixel(size: list[float] | None) -> str:
    return "pixel size unknown" if size is None else f"pixels of {size[0]:.4g} x {size[1]:.4g} m"


def _settings(data: dict[str, Any]) -> str:
    """What is set, and to what."""
    shown = ((key, _value(value)) for key, value in data.items() if value is not None)
    return ", ".join(f"{harmless(key, 32)} {harmless(value, 48)}" for key, value in shown)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _confidence(facts: dict[str, Any]) -> list[str]:
    """Its temperature and what that did, and whether applicability can be had."""
    told = f"temperature {facts['temperature']:.3g}"
    found = facts["accuracy"].get("calibration") or {}
    if found.get("ece_after") is not None:
        told += (
            f", expected calibration error {share(found['ece_before'])} before and {share(found['ece_after'])} after"
        )
    reach = facts["applicability"]
    lines = said("confidence", told)
    if reach is None:
        return [*lines, "applicability: not known"]
    where = f"{reach['points']} points, inside up to {reach['threshold']:.3g} mean distances"
    return [*lines, *said("applicability", where)]


def _validation(accuracy: dict[str, Any]) -> list[str]:
    if not accuracy.get("n"):
        return ["validation: none"]
    split = dict(accuracy["split"])
    plain = {key: value for key, value in split.items() if key != "kind" and not isinstance(value, (list, dict))}
    rest = _settings(plain)
    lines = said(
        f"validation ({harmless(split['kind'], 16)})", ", ".join(filter(None, [f"{accuracy['n']:,} pixels", rest]))
    )
    distance = accuracy.get("distance_m")
    if distance:
        far = ", ".join(f"{key} {distance[key]:,.0f} m" for key in ("min", "median", "max"))
        lines += said("from the nearest training pixel", far)
    rows: list[tuple[str, ...]] = [("class", "producer", "user", "F1", "support", "mapped")]
    for row in accuracy["classes"]:
        figures = (share(row[key]) for key in ("producers_accuracy", "users_accuracy", "f1"))
        rows.append((harmless(row["name"], _NAME), *figures, f"{row['support']:,}", f"{row['mapped']:,}"))
    lines += [*columns(rows), *wrapped(overall(accuracy))]
    for warning in accuracy.get("warnings", []):
        lines += said("warning", harmless(warning, 800))
    return lines
