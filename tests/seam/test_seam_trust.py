"""Temperature and reference in model files: what comes back, what is refused, and what older files lack."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from seam_models import bundle_of

from landmix.bundle import Bundle, load, save, save_safetensors
from landmix.errors import LandmixError
from landmix.geo.options import ReadOptions
from landmix.nn.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRITERS = [save, save_safetensors]


def reference(width: int = 6, threshold: float = 0.4) -> Reference:
    numbers = torch.Generator().manual_seed(0)
    mean, scale = torch.rand(width, generator=numbers), torch.rand(width, generator=numbers)
    points = torch.rand(5, width, generator=numbers)
    return Reference(mean=mean, scale=scale, points=points, distance=1.25, threshold=threshold)


@pytest.mark.parametrize("write", WRITERS)
def test_both_come_back(write: Callable[[Bundle, Path], None], tmp_path: Path) -> None:
    bundle = bundle_of(temperature=1.75, reference=reference(), scene=asdict(ReadOptions()))
    write(bundle, tmp_path / "model")
    found = load(tmp_path / "model")
    assert found.temperature == 1.75
    assert found.reference is not None
    assert (found.reference.distance, found.reference.threshold) == (1.25, 0.4)
    for name in ("mean", "scale", "points"):
        assert torch.equal(getattr(found.reference, name), getattr(bundle.reference, name))
    assert set(found.weights) == set(bundle.weights)
    assert found.digest == bundle.digest


@pytest.mark.parametrize("write", WRITERS)
def test_a_model_without_them_is_as_it_was(write: Callable[[Bundle, Path], None], tmp_path: Path) -> None:
    write(bundle_of(), tmp_path / "model")
    found = load(tmp_path / "model")
    assert (found.temperature, found.reference) == (1.0, None)
    if write is save:
        content = torch.load(tmp_path / "model", weights_only=True)
        assert content["version"] == 1
        assert not {"temperature", "reference"} & set(content["bundle"])


def test_the_digest_follows_both() -> None:
    kinds = [bundle_of(), bundle_of(temperature=2.0), bundle_of(reference=reference())]
    kinds.append(bundle_of(reference=reference(threshold=0.5)))
    assert len({bundle.digest for bundle in kinds}) == 4


@pytest.mark.parametrize("temperature", [0.0, -1.0, 21.0, float("nan"), float("inf")])
def test_a_temperature_that_cannot_be_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        bundle_of(temperature=temperature)


def changed(content: Any, **changes: Any) -> None:
    content["bundle"]["reference"].update(changes)


BROKEN: dict[str, Callable[[Any], Any]] = {
    "temperature": lambda c: c["bundle"].update(temperature=1e9),
    "no number": lambda c: c["bundle"].update(temperature="hot"),
    "distance": lambda c: changed(c, distance=-1.0),
    "threshold": lambda c: changed(c, threshold=float("nan")),
    "other points": lambda c: c["weights"]["landmix/reference.points"].add_(1),
    "points that are not finite": lambda c: c["weights"]["landmix/reference.points"].fill_(float("nan")),
    "another width": lambda c: c["weights"].update({"landmix/reference.mean": torch.zeros(7)}),
    "no points": lambda c: c["weights"].pop("landmix/reference.points"),
    "another type": lambda c: c["weights"].update({"landmix/reference.mean": torch.zeros(6, dtype=torch.int64)}),
    "more than the file holds": lambda c: c["weights"].update(
        {"landmix/reference.points": torch.zeros(1).expand(9, 6)}
    ),
    "tensors alone": lambda c: c["bundle"].pop("reference"),
    "numbers alone": lambda c: [c["weights"].pop(f"landmix/reference.{name}") for name in ("mean", "scale", "points")],
    "something else": lambda c: c["bundle"].update(reference=[1]),
    "one tensor more": lambda c: c["weights"].update({"landmix/reference.x": torch.zeros(1)}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_damaged_file_is_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    save(bundle_of(temperature=1.5, reference=reference()), path)
    content = torch.load(path, weights_only=True)
    BROKEN[case](content)
    torch.save(content, path)
    with pytest.raises(LandmixError, match="is damaged") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_reference_of_another_network_is_refused(tmp_path: Path) -> None:
    save(replace(bundle_of(), reference=reference(width=9)), tmp_path / "model.ckpt")
    with pytest.raises(LandmixError, match="shape"):
        load(tmp_path / "model.ckpt")
