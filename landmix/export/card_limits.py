"""What a model must not be used for, as its own facts say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.export.card_places import around, dates, degrees, places
from landmix.export.card_words import count, escaped, listed, metres, number, percent, rows, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from landmix.bundle import Bundle

FEW = 50
"""Validation pixels of a class below which its figures say little: half a dozen of them are ten percent."""

WEAK = 0.7
"""A share of right pixels below which a class should not be relied on."""

_OFF = 0.15
"""How far the share of a class in the map may be off before areas are named."""


def limits(bundle: Bundle) -> list[str]:
    """One sentence each, in Markdown; the gravest first."""
    return [*_validation(bundle), *_classes(bundle), *_numbers(bundle), *_ground(bundle)]


def _validation(bundle: Bundle) -> Iterator[str]:
    figures = bundle.accuracy
    kind = table(figures, "split").get("kind")
    if not number(figures.get("n")):
        yield "Any decision: it was never validated, so nobody knows how well it does."
        return
    if kind == "random":
        yield (
            "Quoting its accuracy: training and validation pixels were drawn at random, so that most lie beside"
            " each other, which flatters. Split by blocks (`split.kind=blocks`) before trusting a figure."
        )
    distance = table(figures, "distance_m")
    if distance and kind != "random":
        yield (
            f"Promises about other places: validation pixels lie {metres(distance.get('min'))} to"
            f" {metres(distance.get('max'))} (median {metres(distance.get('median'))}) from the nearest training pixel."
            " The figures tell how well it goes on at such distances, not farther away."
        )


def _classes(bundle: Bundle) -> Iterator[str]:
    figures = rows(bundle.accuracy, "classes")
    known = {c.name for c in bundle.legend}
    yield (
        f"Ground that is none of its {len(known)} classes: every valid pixel gets one of them, whatever is there."
        if len(known) > 1
        else "Telling things apart: it knows one class, and gives it to every valid pixel."
    )
    never = [row.get("name") for row in figures if not number(row.get("support")) and row.get("name") in known]
    if never and number(bundle.accuracy.get("n")):
        yield f"Relying on {listed(never)}: no pixel of it was validated."
    few = [row for row in figures if 0 < (number(row.get("support")) or 0) < FEW]
    if few:
        shown = listed([f"{row.get('name')} ({count(row.get('support'))})" for row in few])
        yield f"Relying on the figures of classes with few validation pixels: {shown}."
    weak = [shown for row in figures if (shown := _weakness(row))]
    if weak:
        yield f"Questions that hang on {', '.join(weak[:20])}."
    strange = [row.get("name") for row in figures if row.get("name") not in known]
    if strange:
        yield f"Finding {listed(strange)}: the validation part has such ground, but the model never saw it."
    off = [shown for row in figures if (shown := _off(row))]
    if off:
        yield (
            f"Areas by counting pixels: {', '.join(off[:20])} in the validation part. Areas need a reference sample."
        )


def _weakness(row: dict[str, Any]) -> str:
    """`crop (52 % of it is found, 99 % of what is mapped as it is right)` where either is weak."""
    found, right = number(row.get("producers_accuracy")), number(row.get("users_accuracy"))
    if min(1.0 if found is None else found, 1.0 if right is None else right) >= WEAK:
        return ""
    said = [f"{percent(found)} of it is found"] if found is not None else []
    said += [f"{percent(right)} of what is mapped as it is right"] if right is not None else []
    return f"{escaped(row.get('name'))} ({', '.join(said)})"


def _off(row: dict[str, Any]) -> str:
    mapped, support = number(row.get("mapped")), number(row.get("support"))
    if mapped is None or not support or support < FEW or abs(mapped / support - 1) <= _OFF:
        return ""
    return f"{escaped(row.get('name'))} is mapped on {count(mapped)} pixels and is on {count(support)}"


def _numbers(bundle: Bundle) -> Iterator[str]:
    inputs = bundle.bands.inputs
    units = {band.unit for band in inputs}
    if None in units:
        yield (
            "Scenes whose numbers mean something else: nothing says in which unit the training scenes are, so landmix"
            " cannot notice."
        )
    named = sorted({str(unit) for unit in units if unit is not None})
    if named:
        yield f"Numbers that are not {listed(named)}, as described under bands."
    sensors = sorted({band.sensor for band in inputs if band.sensor})
    if sensors:
        yield f"Scenes of other sensors than {listed(sensors)}: they were never tried."
    else:
        yield "Scenes of other sensors than the training scenes': which one it was is not recorded."
        if bundle.scene.get("product") is None:
            yield "Cloudy scenes: the training scenes named no product whose quality band could mask clouds."


def _ground(bundle: Bundle) -> Iterator[str]:
    known = places(bundle)
    box = degrees(around(known))
    yield (
        f"Other regions than that of its training scenes ({box}): ground looks different elsewhere."
        if box
        else "Other regions than that of its training scenes, which is not recorded."
    )
    when = dates(bundle)
    yield (
        f"Other seasons than that of its training scenes ({when})."
        if when
        else "Other seasons than that of its training scenes, whose dates are not recorded."
    )
    pixel = next((place.pixel for place in known if place.pixel), None)
    side = 2 * bundle.margin + 1
    if pixel and side > 1:
        yield (
            f"Other pixel sizes than {metres(max(pixel))}: it looks at {side} x {side} pixels, of the size that it was"
            " trained on."
        )
