"""Licences of everything that landmix installs for its users, as Markdown."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

TARGET = Path(__file__).resolve().parent.parent / "docs" / "licences.md"

EXTRAS = frozenset({"dask", "onnx", "xarray", "view", "baseline"})

OF_CUDA = ("nvidia-", "cuda-", "triton")
"""What torch's build for GPUs brings, each in the one version that it names itself; NVIDIA's are not free software."""

HEAD = """# Licences of what landmix uses

Everything that `pip install landmix` and its extras (dask, onnx, xarray, view, baseline) bring along, with the licence
that its own metadata state. Made by `scripts/licences`. Loggers (tensorboard, mlflow, wandb) bring more, and torch's
build for GPUs brings NVIDIA's libraries, under NVIDIA's terms. Leaflet, which `landmix view` ships, is BSD-2-Clause:
its licence lies beside it.

| package | licence |
|---|---|
"""


def closure(name: str, extras: frozenset[str]) -> dict[str, Distribution]:
    """Installed packages that a package needs, and that those need, by name; without those `OF_CUDA`."""
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(name, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        package, wanted = waiting.pop()
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        try:
            about = distribution(package)
        except PackageNotFoundError:  # for another system
            continue
        found[canonical(package)] = about
        for text in about.requires or []:
            need = Requirement(text)
            if canonical(need.name).startswith(OF_CUDA):
                continue
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((canonical(need.name), frozenset(need.extras)))
    return found


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return name.lower().replace("_", "-").replace(".", "-")


def licence(about: Distribution) -> str:
    """What the metadata say, in one line."""
    said = about.metadata.get_all("License-Expression") or []
    listed = [c.rpartition(" :: ")[2] for c in about.metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    words = (about.metadata.get_all("License") or [""])[0].strip()
    text = "".join(said) or ", ".join(c for c in listed if c != "OSI Approved") or words
    return text.splitlines()[0][:80].strip().replace("|", "\\|") if text else "not stated"


def main() -> int:
    """Write the table."""
    found = closure("landmix", EXTRAS)
    del found["landmix"]
    rows = [f"| {about.metadata['Name']} | {licence(about)} |" for _, about in sorted(found.items())]
    TARGET.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(rows)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
