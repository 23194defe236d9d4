"""What a training run knows of its model's confidence, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.report import words

if TYPE_CHECKING:
    from collections.abc import Mapping


def trust(metrics: Mapping[str, Any]) -> list[str]:
    """What is known of confidence and of its limits, a sentence each."""
    found, told = metrics.get("calibration"), []
    if found and found["folds"]:
        told.append(
            f"Logits are divided by a temperature of {found['temperature']:.2f}, which was fitted on"
            f" {words.count(found['n'])} training pixels held back in {found['folds']} parts. No class of the map"
            " depends on it."
        )
    elif found:
        told.append("Confidence is not calibrated: too few polygons or blocks to hold some back.")
    if found and found["ece_after"] is None:
        told.append("No validation part shows whether it is right.")
    reach = metrics.get("applicability")
    if reach:
        told.append(
            "Outside the area of applicability a pixel is farther from its nearest training pixel than"
            f" {reach['threshold']:.3g} times their mean distance in the encoder's features;"
            " outputs=[classes,applicability] maps that distance in such limits."
        )
    return told
