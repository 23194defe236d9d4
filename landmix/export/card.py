"""landmix export format=card: what a model is, what it was trained on, how well it does and what it is not for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from landmix.export import card_rows as of
from landmix.export.card_limits import limits
from landmix.export.card_places import around, dates, degrees, places
from landmix.export.card_words import (
    DASH,
    Markdown,
    count,
    digest,
    escaped,
    listed,
    metres,
    number,
    percent,
    plain,
    rows,
    table,
)
from landmix.files import write_text
from landmix.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle


_LINES = 2000
"""Characters that are kept of a warning."""


def write(bundle: Bundle, target: Path) -> str:
    """Write `target` in Markdown; what to say to the user."""
    write_text(target, rendered(bundle))
    return "model card in Markdown" + ("" if _license(bundle) else "; its licence is not stated: write it in")


def rendered(bundle: Bundle) -> str:
    """The card's text; the same for the same model."""
    return _template().render(_facts(bundle))


@cache
def _template() -> jinja2.Template:
    """Whatever it shows is escaped for Markdown, unless it says that it is Markdown."""
    environment = jinja2.Environment(  # noqa: S701 - `finalize` escapes, and for Markdown
        loader=jinja2.PackageLoader("landmix.export", "."),
        finalize=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "count": count, "percent": percent, "plain": plain, "digest": digest, "listed": listed,
        "degrees": degrees, "side": _side,
    }  # fmt: skip
    return environment.get_template("card.md.j2")


def _facts(bundle: Bundle) -> dict[str, Any]:
    training, figures = bundle.training, bundle.accuracy
    known = places(bundle)
    side = 2 * bundle.margin + 1
    keys = ("overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou")
    return {
        "legend": list(bundle.legend),
        "inputs": list(bundle.bands.inputs),
        "license": _license(bundle) or "not stated: whoever publishes the model says it here",
        "digest": digest(bundle.digest),
        "made_by": f"landmix {table(training, 'versions').get('landmix', DASH)}; this card by landmix {__version__}",
        "parameters": f"{sum(p.numel() for p in bundle.network().parameters()):,}",
        "sees": f"{side} x {side} pixels (margin {bundle.margin})" if side > 1 else "each pixel alone (margin 0)",
        "trained_on": f"{_many(training, 'scene')}, {_many(training, 'label')}",
        "where": degrees(around(known)) or "not recorded",
        "when": f"{when} (by names of scene files)" if (when := dates(bundle)) else "not recorded",
        "n": count(figures.get("n")) if number(figures.get("n")) else None,
        "accuracy": {key: figures.get(key) for key in keys},
        "unmapped": count(figures.get("unmapped")) if number(figures.get("unmapped")) else None,
        "limits": [Markdown(sentence) for sentence in limits(bundle)],
        "split": Markdown(of.split(figures)),
        "classes": of.classes(bundle),
        "sureness": Markdown(of.sureness(bundle)),
        "confused": Markdown(of.confused(figures)),
        "warnings": [Markdown(escaped(text, _LINES)) for text in of.texts(figures.get("warnings"))],
        "takes": of.takes(bundle),
        "left_out": of.texts(training.get("bands_left_out")),
        "bands": of.bands(bundle),
        "scenes": of.files(bundle, "scenes"),
        "labels": of.files(bundle, "labels"),
        "places": known,
        "settings": of.settings(bundle),
    }


def _many(training: dict[str, Any], what: str) -> str:
    """`2 scene files`."""
    found = len(rows(training, f"{what}s"))
    return f"{found} {what} file{'' if found == 1 else 's'}"


def _license(bundle: Bundle) -> str | None:
    """What the model says of itself."""
    said = bundle.training.get("license")
    return said if isinstance(said, str) and said.strip() else None


def _side(pixel: tuple[float, float] | None) -> str | None:
    """Height and width of a pixel."""
    if pixel is None:
        return None
    height, width = map(metres, pixel)
    return height if height == width else f"{height} high, {width} wide"
