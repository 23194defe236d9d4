"""The tables of a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.export.card_words import DASH, Markdown, count, escaped, listed, metres, number, plain, rows, table

if TYPE_CHECKING:
    from landmix.bundle import Bundle

_CONFUSED = 3
"""Pairs of classes that are named."""

_KINDS = {
    "blocks": "square blocks of the scenes with a side of {side}; no pixel of them was trained on.",
    "polygons": "whole polygons; no pixel of them was trained on.",
    "files": "whole label files; no pixel of them was trained on.",
    "random": "pixels drawn at random; their neighbours were trained on, which flatters.",
    "own": "scenes of its own, chosen by the user: {scenes}.",
}


def split(figures: dict[str, Any]) -> str:
    """How the validation part was chosen, and how far away it is; Markdown."""
    said, distance = table(figures, "split"), table(figures, "distance_m")
    scenes = said.get("scenes")
    form = _KINDS.get(str(said.get("kind")), "not recorded.")
    text = form.format(side=metres(said.get("side_m")), scenes=listed(scenes if isinstance(scenes, list) else [DASH]))
    folds = number(said.get("folds"))
    if folds:
        text += f" {count(folds)} folds, each pixel validated once."
    if distance:
        text += f" Validation pixels lie at least {metres(distance.get('min'))} from the nearest training pixel,"
        text += f" half of them {metres(distance.get('median'))} or more."
    return text


def classes(bundle: Bundle) -> list[dict[str, Any]]:
    """A row a class of the legend, then a row for each that only the validation part has."""
    figures = {str(row.get("name")): row for row in rows(bundle.accuracy, "classes")}
    trained = table(bundle.accuracy, "trained_on")
    known: list[dict[str, Any]] = [
        {"value": c.value, "name": c.name, "color": Markdown(c.color)} for c in bundle.legend
    ]
    names = set(bundle.legend.names)
    strange = [{"value": row.get("value"), "name": name} for name, row in figures.items() if name not in names]
    keys = ("support", "producers_accuracy", "users_accuracy", "f1")
    return [
        {
            "color": None,
            **own,
            "trained": trained.get(own["name"]),
            **{key: figures.get(own["name"], {}).get(key) for key in keys},
        }
        for own in [*known, *strange]
    ]


def confused(figures: dict[str, Any]) -> str:
    """The pairs of classes that are taken for each other most often; Markdown, empty where there are none."""
    names = [row.get("name") for row in rows(figures, "classes")]
    counts = figures.get("confusion")
    pairs = [
        (times, names[i], names[j])
        for i, line in enumerate(counts if isinstance(counts, list) else [])
        for j, value in enumerate(line if isinstance(line, list) else [])
        if i != j and max(i, j) < len(names) and (times := number(value) or 0) > 0
    ]
    worst = sorted(pairs, key=lambda pair: -pair[0])[:_CONFUSED]
    return ", ".join(
        f"{escaped(true)} taken for {escaped(said)} ({count(times)} pixels)" for times, true, said in worst
    )


def sureness(bundle: Bundle) -> str:
    """What its probabilities are worth, and whether it knows where not to be trusted; Markdown."""
    found = table(bundle.accuracy, "calibration")
    before, after = number(found.get("ece_before")), number(found.get("ece_after"))
    if not number(found.get("folds")):
        text = (
            "Calibration was not measured: a probability of 0.9 ranks above 0.8, but need not be right nine times out"
        )
        text += " of ten."
    else:
        text = f"Probabilities are calibrated with a temperature of {plain(bundle.temperature, 3)}, fitted on"
        text += f" {count(found.get('n'))} training pixels that were held back."
    if before is not None and after is not None:
        text += f" Their expected calibration error on the validation part is {before:.3f} without it and {after:.3f}"
        text += " with it."
    if bundle.reference is not None:
        text += " `outputs=[classes,applicability]` shows where pixels are unlike those of training."
    return text


def takes(bundle: Bundle) -> str:
    """What a scene must have, in a few sentences."""
    read, options = bundle.bands.inputs, bundle.scene
    product = options.get("product")
    if isinstance(product, dict):
        product = product.get("title") or "a product that is described in the model"
    text = f"{len(read)} bands are read, found by name, wavelength or, where nothing is named, position."
    if len(bundle.bands) > len(read) or bundle.bands.names != read.names:
        text += f" {sum(band.formula is not None for band in bundle.bands)} more are computed from them."
    if product:
        text += f" The training scenes were read as {product}."
    return text


def bands(bundle: Bundle) -> list[dict[str, Any]]:
    """A row a band that is read, in the order of `inputs`, then those that are computed."""
    seen = {
        band.name: {"mean": -offset / scale, "std": 1 / scale}
        for band, scale, offset in zip(bundle.bands, bundle.normalise.scale, bundle.normalise.offset, strict=True)
    }
    blank = {"mean": None, "std": None}
    read = [
        {
            "name": band.name,
            "wavelength": band.wavelength,
            "width": band.width,
            "unit": band.unit,
            "sensor": band.sensor,
            "stored": _stored(step, scale, offset),
            "nodata": None if nodata is None else plain(nodata) if number(nodata) is not None else "NaN",
            **seen.get(band.name, blank),
        }
        for band, step, nodata, scale, offset in zip(
            bundle.bands.inputs,
            bundle.steps,
            bundle.nodata,
            bundle.scaling.scale,
            bundle.scaling.offset,
            strict=True,
        )
    ]
    none = dict.fromkeys(("wavelength", "width", "sensor", "nodata"))
    computed = [
        {**none, "name": band.name, "unit": band.unit, "stored": _formula(band.formula), **seen[band.name]}
        for band in bundle.bands
        if band.formula is not None
    ]
    return read + computed


def _stored(step: str | None, scale: float, offset: float) -> str:
    """How a stored number becomes a physical value, in the (first) training scene."""
    number = "stored" if step is None else f"{step}(stored)"
    scaled = number if scale == 1 else f"{number} x {scale:g}"
    return scaled if offset == 0 else f"{scaled} {'+' if offset > 0 else '-'} {abs(offset):g}"


def _formula(formula: Any) -> str:
    letters = ", ".join(f"{letter} = {band.name}" for letter, band in formula.inputs)
    return f"computed: {formula.expression} with {letters}"


def files(bundle: Bundle, key: str) -> list[dict[str, Any]]:
    """Name and sha256 of each file of the training data."""
    return [{"name": row.get("name"), "sha256": row.get("sha256")} for row in rows(bundle.training, key)]


def texts(value: object) -> list[str]:
    """A list of texts out of foreign data."""
    return [str(part) for part in value] if isinstance(value, list | tuple) else []


def settings(bundle: Bundle) -> list[tuple[str, Any]]:
    """What the training ran with."""
    net, training = bundle.net, bundle.training
    widths = " - ".join(map(str, net.encoder.widths))
    facts: list[tuple[str, Any]] = [
        ("encoder", f"1x1 convolutions of {widths} channels"),
        ("head", f"{net.head.blocks} bottlenecks, {net.head.reduced} channels inside, {net.head.width} between"),
    ]
    if net.own is not None:
        facts = [("network", f"{net.own.name}, the author's own, in a file of sha256 {net.own.sha256}")]
    facts += [
        *((key, training[key]) for key in ("epochs", "seed") if number(training.get(key)) is not None),
    ]
    for group in ("optim", "augment"):
        facts += [(f"{group}.{key}", value) for key, value in table(table(training, "settings"), group).items()]
    facts += [(f"scene.{key}", value) for key, value in bundle.scene.items() if key != "product"]
    facts += [(f"version of {key}", value) for key, value in table(training, "versions").items()]
    return [(name, value) for name, value in facts if value is not None]
