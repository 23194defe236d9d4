"""Model files with anything in them: loaded as they were written, or refused in one sentence; never anything else.

`scripts/fuzz` runs the same for longer.
"""

from __future__ import annotations

import functools
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fuzz_depth import fuzzed
from hypothesis import given
from hypothesis import strategies as st
from seam_models import bundle_of

from landmix.bundle import load, save, save_safetensors
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Callable

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400)

ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@functools.cache
def whole(kind: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        (save if kind == "checkpoint" else save_safetensors)(bundle_of(), path)
        return path.read_bytes()


def outcome(content: bytes) -> str | None:
    """The digest of what loads, None for what is refused; anything else is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(content)
        try:
            bundle = load(path)
            bundle.network()
        except LandmixError as error:
            said = str(error)
        else:
            return bundle.digest
    assert "model" in said
    assert len(said) < 2000
    return None


def places(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something lies in plain data."""
    found = [at] if at else []
    if isinstance(content, dict):
        for key, part in content.items():
            found += places(part, (*at, key))
    elif isinstance(content, list):
        for number, part in enumerate(content):
            found += places(part, (*at, number))
    return found


@fuzzed(60)
@pytest.mark.parametrize("kind", ["checkpoint", "safetensors"])
@given(data=st.data())
def test_damaged_bytes(kind: str, data: st.DataObject) -> None:
    """Flipped, cut, put in, said twice: what is not the very file is refused."""
    content = bytearray(whole(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, max(len(content) - 1, 0)))
        how = data.draw(st.sampled_from(["flip", "cut", "insert", "remove"]))
        if how == "flip" and content:
            content[start] ^= data.draw(st.integers(1, 255))
        elif how == "cut":
            del content[start:]
        elif how == "insert":
            content[start:start] = data.draw(st.binary(max_size=30))
        else:
            del content[start : start + data.draw(st.integers(1, 300))]
    changed = bytes(content)
    assert (outcome(changed) is not None) == (changed == whole(kind))


@fuzzed(60)
@pytest.mark.filterwarnings("ignore")
@given(data=st.data())
def test_anything_in_the_place_of_anything(data: st.DataObject) -> None:
    """A checkpoint that torch takes, with one thing of its description replaced or left out."""
    content = torch.load(io.BytesIO(whole("checkpoint")), weights_only=True)
    found = [*places(content["bundle"], ("bundle",)), ("bundle",), ("weights",), ("format",), ("version",)]
    place = data.draw(st.sampled_from(found))
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[place[-1]] = data.draw(ANYTHING)
    else:
        del inner[place[-1]]
    buffer = io.BytesIO()
    torch.save(content, buffer)
    outcome(buffer.getvalue())


TENSORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "stride 0": lambda t: torch.zeros(1).expand(t.shape),
    "meta": lambda t: torch.empty(t.shape, device="meta"),
    "sparse": lambda t: t.to_sparse(),
    "not a number": lambda t: torch.full(t.shape, torch.nan),
    "half": lambda t: t.half(),
    "transposed": lambda t: t.flatten().flip(0).reshape(t.shape),
    "longer": lambda t: torch.cat([t.flatten()] * 2),
    "scalar": lambda t: t.sum(),
    "complex": lambda t: t.to(torch.complex64),
    "parameter": lambda t: torch.nn.Parameter(t) if t.is_floating_point() else t.float(),
}


@fuzzed(60)
@pytest.mark.filterwarnings("ignore")
@given(number=st.integers(0, 100), how=st.sampled_from(sorted(TENSORS)))
def test_other_tensors(number: int, how: str) -> None:
    content = torch.load(io.BytesIO(whole("checkpoint")), weights_only=True)
    names = sorted(content["weights"])
    name = names[number % len(names)]
    before = content["weights"][name]
    try:
        content["weights"][name] = TENSORS[how](before)
        buffer = io.BytesIO()
        torch.save(content, buffer)
    except (RuntimeError, NotImplementedError):
        return
    # of one element, or of equal ones, the other may be the same
    assert outcome(buffer.getvalue()) in {None, outcome(whole("checkpoint"))}
