"""Models as safetensors: everything comes back, and strangers' files end in one sentence."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from seam_models import bundle_of

from landmix import safetensors_file
from landmix.bundle import Bundle, load, save, save_safetensors
from landmix.core.bands import Band, BandSet, Formula
from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.export.safetensors import write
from landmix.geo.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Header = dict[str, Any]


def full() -> Bundle:
    """What JSON finds hard: NaN and infinity, tuples in tuples, letters of all kinds."""
    red, nir = Band(name="rot ü \udcff \u202e\x1b[31m", wavelength=665.0, number=2), Band(name="n", number=4)
    index = Band(name="ndvi", unit="index", formula=Formula(expression="(N-R)/(N+R)", inputs=(("N", nir), ("R", red))))
    product = {"title": "mine", "nodata": -math.inf, "bands": {"a": {"file": "*a.tif", "scale": 1e-4}}}
    return replace(
        bundle_of(bands=3, blocks=1),
        bands=BandSet((red, nir, index)),
        band_count=4,
        nodata=(math.inf, -9999.0),
        normalise=Affine(scale=(0.1, 1 / 3, 5e-320), offset=(-0.7, 1e-9, 0.0)),
        scaling=Affine.identity(2),
        scene=asdict(ReadOptions(scale="none", product=product, offset=-0.1, quality=["snow"])),
        training={"scenes": [{"name": 'a "b" \\ \udc80 \x00.tif'}], "seed": 2**70, "clip": math.inf},
        accuracy={"kappa": None, "n": 3, "split": {}},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_safetensors(full(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def parts(path: Path) -> tuple[Header, bytes]:
    """Header and the bytes of the tensors, as the format defines them."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    del header["__metadata__"]["LANDMIX_SHA256"]  # with it, any damage at all would be the same one
    return header, content[end:]


def put(path: Path, header: Header | bytes, body: bytes) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + body)


def test_everything_comes_back(path: Path) -> None:
    bundle, found = full(), load(path)
    for name in asdict(bundle).keys() - {"weights"}:
        assert getattr(found, name) == getattr(bundle, name), name
    assert found.digest == bundle.digest
    for name, tensor in bundle.weights.items():
        assert torch.equal(found.weights[name], tensor)
        assert found.weights[name].dtype == tensor.dtype
    x = torch.randn(1, 3, 6, 7)
    assert torch.equal(found.network()(x), bundle.network()(x))


def test_nodata_that_is_no_number_comes_back(tmp_path: Path) -> None:
    bundle = replace(full(), nodata=(math.nan, None))
    save_safetensors(bundle, tmp_path / "m")
    found = load(tmp_path / "m")
    assert math.isnan(found.nodata[0] or 0)
    assert found.nodata[1] is None
    assert found.digest == bundle.digest


def test_others_read_it_too(path: Path) -> None:
    bundle = full()
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        assert metadata.keys() == {"format", "version", "bundle", "LANDMIX_SHA256"}
        assert (metadata["format"], metadata["version"]) == ("landmix-model", "1")
        legend = json.loads(metadata["bundle"])["legend"]
        assert [entry["name"] for entry in legend] == list(bundle.legend.names)
        assert set(file.keys()) == set(bundle.weights)
        assert all(torch.equal(file.get_tensor(name), tensor) for name, tensor in bundle.weights.items())
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0, "tensors of a mapped file must be aligned"


def test_the_same_bytes_each_time(path: Path, tmp_path: Path) -> None:
    save(full(), tmp_path / "model.ckpt")
    for source in [path, tmp_path / "model.ckpt"] * 8:  # safetensors' own writer shuffles its metadata
        assert "56" not in write(load(source), tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_formats_are_told_apart_by_content(path: Path, tmp_path: Path) -> None:
    path.rename(tmp_path / "a.ckpt")
    save(full(), tmp_path / "b.safetensors")
    assert load(tmp_path / "a.ckpt").digest == load(tmp_path / "b.safetensors").digest


def described(change: Callable[[Header], None]) -> Callable[[Header, bytes], tuple[Header, bytes]]:
    """A change of the bundle in the header."""

    def damage(header: Header, body: bytes) -> tuple[Header, bytes]:
        bundle = json.loads(header["__metadata__"]["bundle"])
        change(bundle)
        header["__metadata__"]["bundle"] = json.dumps(bundle)
        return header, body

    return damage


def text(find: str, new: str) -> Callable[[Header, bytes], tuple[Header, bytes]]:
    """A change of the bundle's text."""

    def damage(header: Header, body: bytes) -> tuple[Header, bytes]:
        metadata = header["__metadata__"]
        assert find in metadata["bundle"]
        metadata["bundle"] = metadata["bundle"].replace(find, new, 1)
        return header, body

    return damage


def header(change: Callable[[Header], Any]) -> Callable[[Header, bytes], tuple[Header, bytes]]:
    """A change of the header."""

    def damage(header: Header, body: bytes) -> tuple[Header, bytes]:
        change(header)
        return header, body

    return damage


def raw(change: Callable[[bytes], bytes]) -> Callable[[Header, bytes], tuple[bytes, bytes]]:
    """A change of the header's bytes."""

    def damage(header: Header, body: bytes) -> tuple[bytes, bytes]:
        return change(json.dumps(header).encode()), body

    return damage


BIAS = "head.classifier.bias"
NAN = b"\x00\x00\xc0\x7f"


def one_nan(header: Header, body: bytes) -> tuple[Header, bytes]:
    start = header[BIAS]["data_offsets"][0]
    return header, body[:start] + NAN + body[start + 4 :]


def one_bit(header: Header, body: bytes) -> tuple[Header, bytes]:
    start = header[BIAS]["data_offsets"][0]
    return header, body[:start] + bytes([body[start] ^ 1]) + body[start + 1 :]


def extra(header: Header, body: bytes) -> tuple[Header, bytes]:
    header["more"] = {"dtype": "U8", "shape": [2], "data_offsets": [len(body), len(body) + 2]}
    return header, body + b"ab"


def twice(name: str) -> Callable[[Header, bytes], tuple[bytes, bytes]]:
    return raw(lambda content: content[:-1] + f', "{name}": {{}}}}'.encode())


DAMAGES: dict[str, tuple[Callable[[Header, bytes], tuple[Header | bytes, bytes]], str]] = {
    "a bit": (one_bit, "not those that were saved"),
    "NaN in a weight": (one_nan, "not finite"),
    "a tensor more": (extra, "not those of its network"),
    "a tensor less": (header(lambda h: h.pop(BIAS)), ""),
    "another name": (header(lambda h: h.update(x=h.pop(BIAS))), "not those of its network"),
    "another shape": (header(lambda h: h[BIAS].update(shape=[1, 3])), "shape"),
    "another type": (header(lambda h: h[BIAS].update(dtype="I32")), "shape"),
    "a type without name": (header(lambda h: h[BIAS].update(dtype="F99")), "F99"),
    "overlap": (header(lambda h: h[BIAS].update(data_offsets=[0, 12])), "offset"),
    "offset beyond the end": (header(lambda h: h[BIAS].update(data_offsets=[10**9, 10**9 + 12])), ""),
    "negative offset": (header(lambda h: h[BIAS].update(data_offsets=[-12, 0])), ""),
    "huge shape": (header(lambda h: h[BIAS].update(shape=[2**62, 2**62])), ""),
    "no tensors": (lambda h, _: ({"__metadata__": h["__metadata__"]}, b""), "not those of its network"),
    "bytes that no tensor has": (lambda h, b: (h, b + b"1234"), ""),
    "cut short": (lambda h, b: (h, b[:-4]), ""),
    "a tensor twice": (twice(BIAS), "twice"),
    "metadata twice": (twice("__metadata__"), "twice"),
    "metadata of a number": (header(lambda h: h["__metadata__"].update(version=1)), "none of safetensors"),
    "metadata as a list": (header(lambda h: h.update(__metadata__=[])), "none of safetensors"),
    "no bundle": (header(lambda h: h["__metadata__"].pop("bundle")), "bundle"),
    "no version": (header(lambda h: h["__metadata__"].pop("version")), "newer landmix"),
    "a newer version": (header(lambda h: h["__metadata__"].update(version="3")), "newer landmix"),
    "header is a list": (lambda _, b: (b"{" + b"}" * 7, b), ""),
    "header is no JSON": (raw(lambda content: content[:-1] + b" "), ""),
    "header is no UTF-8": (raw(lambda content: content.replace(b"landmix", b"landm\xff\xfe", 1)), ""),
    "half a letter": (raw(lambda content: content.replace(b'"format":', b'"\\ud800": "", "format":', 1)), ""),
    "deep header": (raw(lambda c: c[:-1] + b', "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"), "deep"),
    "deep bundle": (text('"kappa": null', '"kappa": ' + "[" * 200_000 + "]" * 200_000), "deep"),
    "bare NaN": (text('"kappa": null', '"kappa": NaN'), "NaN is no JSON"),
    "no number": (text('"kappa": null', '"kappa": {"$float": "x"}'), ""),
    "many digits": (text('"kappa": null', '"kappa": ' + "9" * 10_000), ""),
    "a key twice": (text('"kappa": null', '"kappa": null, "kappa": 1'), "twice"),
    "bundle is no JSON": (text("{", ""), ""),
    "bundle is a list": (lambda h, b: (h["__metadata__"].update(bundle="[]") or h, b), ""),
    "bundle is null": (lambda h, b: (h["__metadata__"].update(bundle="null") or h, b), ""),
    "no legend": (described(lambda d: d.pop("legend")), "legend"),
    "legend of numbers": (described(lambda d: d.update(legend=[1, 2, 3])), ""),
    "legend values as text": (described(lambda d: d["legend"][0].update(value="2")), ""),
    "wavelength as text": (described(lambda d: d["bands"][0].update(wavelength="665")), "text and numbers"),
    "unit as a list": (described(lambda d: d["bands"][0].update(unit=["m"])), "text and numbers"),
    "huge network": (described(lambda d: d["net"]["encoder"].update(widths=[10**9])), "65536"),
    "very deep network": (described(lambda d: d["net"]["head"].update(blocks=65536)), "must lie between"),
    "network of text": (described(lambda d: d["net"].update(in_channels="3")), ""),
    "code for a formula": (described(lambda d: d["bands"][2]["formula"].update(expression="__import__('os')")), ""),
    "a product file": (described(lambda d: d["scene"].update(product="/etc/passwd")), "product"),
    "a product of nonsense": (described(lambda d: d["scene"].update(product={"x": 1})), "product"),
    "accuracy is a list": (described(lambda d: d.update(accuracy=[[1]])), ""),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_models_are_refused_in_a_sentence(path: Path, name: str) -> None:
    damage, word = DAMAGES[name]
    put(path, *damage(*parts(path)))
    with pytest.raises(LandmixError, match=r"model\.safetensors") as caught:
        load(path)
    message = str(caught.value)
    assert word in message
    assert len(message) < 600
    assert "\n" not in message.strip()


def test_undamaged_copies_are_taken(path: Path) -> None:
    """What the damages above are done to is a model itself."""
    put(path, *parts(path))
    assert load(path).digest == full().digest


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 50, -1])
def test_cut_files_are_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(LandmixError, match=r"model\.safetensors"):
        load(path)


@pytest.mark.parametrize("content", [bytes(100), b"\x02" + bytes(7) + b"{}", b"\xff" * 8 + b"{}", b"{" * 100])
def test_foreign_bytes_are_no_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(LandmixError, match=r"m\.safetensors is .*no landmix model"):
        load(tmp_path / "m.safetensors")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"bundle": "{}"}])
def test_other_safetensors_are_no_models_and_stay_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, str] | None
) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors", metadata)

    def read(_: bytes) -> NoReturn:
        pytest.fail("the tensors of a stranger's file, gigabytes perhaps, were read")

    monkeypatch.setattr(safetensors_file, "load", read)
    with pytest.raises(LandmixError, match=r"other\.safetensors is a safetensors file, but no landmix model"):
        load(tmp_path / "other.safetensors")


def test_headers_have_a_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = int.from_bytes(path.read_bytes()[:8], "little")
    monkeypatch.setattr(safetensors_file, "LIMIT", size - 1)
    with pytest.raises(LandmixError, match=r"model\.safetensors .*header"):
        load(path)
    before = path.read_bytes()
    with pytest.raises(LandmixError, match="cannot write"):
        save_safetensors(full(), path)
    assert path.read_bytes() == before
    monkeypatch.setattr(safetensors_file, "LIMIT", size)
    assert load(path).band_count == 4


def test_a_failed_save_leaves_the_old_model(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_safetensors(replace(full(), training={"x": object()}), path)
    with pytest.raises(LandmixError, match="cannot write"):
        save_safetensors(full(), path.parent / "gone" / "m")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]


def test_random_damage_never_ends_in_another_error(path: Path) -> None:
    """Bytes changed, cut out and put in, mostly in the header: a model, or a sentence."""
    good, rng = path.read_bytes(), random.Random(5)  # noqa: S311 - repeatable
    ends = {True: 0, False: 0}
    for _ in range(300):
        content = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(rng.choice([16, 400, len(content)]))
            end = at + rng.choice([0, 1, 1, 9])
            content[at:end] = rng.randbytes(rng.choice([0, 1, 1, 4])) if rng.random() < 0.7 else b'"'
        path.write_bytes(content)
        try:
            load(path)
        except LandmixError:
            ends[False] += 1
        else:
            ends[True] += 1
    assert ends[False] > 100, ends


def test_records_of_a_checkpoint_are_plain_too(tmp_path: Path) -> None:
    for record in ({"x": torch.zeros(2)}, {"x": [{1: 2}]}):
        save(replace(full(), training=record), tmp_path / "m.ckpt")
        with pytest.raises(LandmixError, match="plain data"):
            load(tmp_path / "m.ckpt")
