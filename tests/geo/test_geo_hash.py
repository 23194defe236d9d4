"""The hash of a file's bytes."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import pytest

from landmix import files
from landmix.files import file_hash, in_archive

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 5  # 1280 bytes


def test_a_small_file_has_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (CONTENT, b""):
        path.write_bytes(content)
        assert file_hash(str(path)) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("piece", [100, 256, 1279])
def test_a_large_file_has_the_sha256_of_its_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(files, "_PIECE", piece)
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    pieces = [CONTENT[i : i + piece] for i in range(0, len(CONTENT), piece)]
    expected = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in pieces)).hexdigest()
    assert file_hash(str(path)) == expected
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "a.bin")
    assert file_hash(in_archive(str(tmp_path / "a.zip"), "a.bin")) == expected
    path.write_bytes(CONTENT[:-1] + b"x")
    assert file_hash(str(path)) != expected
