from __future__ import annotations

import ast
import math
import operator
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landmix.core.bands import Band, BandSet, Formula
from landmix.core.indices import INDICES, LETTERS, check, compute, features
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

B, G, R, RE1, N, S1, S2 = 0.112, 0.137, 0.175, 0.291, 0.643, 0.219, 0.154
COMMON = {"blue": B, "green": G, "red": R, "rededge071": RE1, "nir": N, "swir16": S1, "swir22": S2}
NM = {"blue": 492, "green": 560, "red": 665, "rededge071": 704, "nir": 833, "swir16": 1614, "swir22": 2202}


def difference(a: float, b: float) -> float:
    return (a - b) / (a + b)


EXPECTED = {
    "ndvi": 0.468 / 0.818,
    "gndvi": 0.506 / 0.78,
    "bndvi": 0.531 / 0.755,
    "ndre": 0.352 / 0.934,
    "ndrei": 0.352 / 0.934,
    "cig": 0.506 / 0.137,
    "cire": 0.352 / 0.291,
    "evi": 2.5 * 0.468 / (0.643 + 1.05 - 0.84 + 1),
    "evi2": 2.5 * 0.468 / (0.643 + 0.42 + 1),
    "savi": 1.5 * 0.468 / 1.318,
    "osavi": 0.468 / 0.978,
    "msavi": (2.286 - math.sqrt(2.286 * 2.286 - 3.744)) / 2,
    "sr": 0.643 / 0.175,
    "vari": -0.038 / 0.2,
    "ndwi": difference(G, N),
    "mndwi": difference(G, S1),
    "ndmi": difference(N, S1),
    "ndii": difference(N, S1),
    "msi": 0.219 / 0.643,
    "aweish": 0.112 + 0.3425 - 1.293 - 0.0385,
    "ndti": difference(R, G),
    "nbr": difference(N, S2),
    "nbr2": difference(S1, S2),
    "bai": 1 / (0.075 * 0.075 + 0.583 * 0.583),
    "ndbi": difference(S1, N),
    "ui": difference(S2, N),
    "bi": (0.394 - 0.755) / (0.394 + 0.755),
    "ndsi": difference(G, S1),
    "ndsii": difference(G, N),
}


def common_bands(role: str = "") -> BandSet:
    prefix = f"{role}." if role else ""
    return BandSet(tuple(Band(name=f"{prefix}x{i}", common=c, role=role) for i, c in enumerate(COMMON)))


def named_bands() -> BandSet:
    return BandSet(tuple(Band(name=name.upper()) for name in COMMON))


def bands_at() -> BandSet:
    return BandSet(tuple(Band(name=f"x{nm}", wavelength=nm) for nm in NM.values()))


def value(own: Band, bands: BandSet) -> NDArray[np.float32]:
    """The index of the numbers above, with a band's number found by its place."""
    assert own.formula is not None
    numbers = dict(zip(bands.names, COMMON.values(), strict=True))
    inputs = {letter: np.full((2, 3), numbers[band.name], np.float32) for letter, band in own.formula.inputs}
    return compute(own.formula.expression, inputs)


def test_every_index_has_a_number_here() -> None:
    assert set(EXPECTED) == set(INDICES)
    assert round(EXPECTED["ndvi"], 7) == 0.5721271


@pytest.mark.parametrize("name", INDICES)
def test_the_formula_of_every_index(name: str) -> None:
    (own,) = features([name], common_bands(), "a.tif")
    found = value(own, common_bands())
    assert (own.name, own.unit, found.shape) == (name, "index", (2, 3))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, EXPECTED[name], rtol=2e-6)


@pytest.mark.parametrize("make", [common_bands, named_bands, bands_at])
@pytest.mark.parametrize("name", ["ndvi", "evi", "ndre", "aweish", "bi"])
def test_bands_are_found_by_common_name_by_name_and_by_wavelength(name: str, make: Any) -> None:
    (own,) = features([name.upper()], make(), "a.tif")
    np.testing.assert_allclose(value(own, make()), EXPECTED[name], rtol=2e-6)


def letters(own: Band) -> dict[str, str]:
    assert own.formula is not None
    return {letter: band.name for letter, band in own.formula.inputs}


def test_a_common_name_counts_more_than_a_wavelength() -> None:
    bands = BandSet((Band(name="a", wavelength=842), Band(name="b", common="nir"), Band(name="c", common="red")))
    (own,) = features(["ndvi"], bands, "a.tif")
    assert letters(own) == {"N": "b", "R": "c"}


def test_the_broad_near_infrared_is_preferred_and_the_narrow_one_serves() -> None:
    bands = BandSet((Band(name="B8A", common="nir08"), Band(name="B08", common="nir"), Band(name="B04", common="red")))
    assert letters(features(["ndvi"], bands, "a.tif")[0])["N"] == "B08"
    assert letters(features(["ndvi"], bands.take([0, 2]), "a.tif")[0])["N"] == "B8A"


def test_of_many_narrow_bands_the_middle_one_is_taken() -> None:
    bands = BandSet(tuple(Band(name=f"x{nm}", wavelength=nm) for nm in range(400, 2500, 10)))
    assert letters(features(["ndvi"], bands, "a.tif")[0]) == {"N": "x820", "R": "x650"}


def test_each_role_gets_indices_of_its_own() -> None:
    bands = BandSet((*common_bands("jan"), *common_bands("jul")))
    found = features(["ndvi", "ndwi"], bands, "a.tif")
    assert [own.name for own in found] == ["jan.ndvi", "jan.ndwi", "jul.ndvi", "jul.ndwi"]
    for own in found:
        assert own.formula is not None
        assert {own.role} == {band.role for _, band in own.formula.inputs} == {own.name.partition(".")[0]}


def test_a_band_of_another_role_does_not_help() -> None:
    bands = BandSet((*common_bands("jan"), Band(name="jul.x", common="nir", role="jul")))
    with pytest.raises(LandmixError, match=r"ndvi needs a red band, but none of a\.tif is known as one: it has jan"):
        features(["ndvi"], bands, "a.tif")


@pytest.mark.parametrize(("name", "near"), [("nvdi", "ndvi"), ("SAV", "savi"), ("evi3", "evi"), ("mndvi", "mndwi")])
def test_an_unknown_index_is_told_near_names(name: str, near: str) -> None:
    with pytest.raises(LandmixError, match=rf"no index '{name}': it knows ndvi.*; did you mean .*\b{near}\b.*\?"):
        features([name], common_bands(), "a.tif")


def test_a_scene_that_has_a_band_of_that_name_keeps_it() -> None:
    bands = BandSet((*common_bands(), Band(name="ndvi")))
    with pytest.raises(LandmixError, match=r"would add ndvi, but a\.tif has a band of that name"):
        features(["NDVI"], bands, "a.tif")


def test_an_index_is_added_once() -> None:
    try:
        found = features(["ndvi", "NDVI"], common_bands(), "a.tif")
    except LandmixError:
        return
    assert len({own.name for own in found}) == len(found)


@pytest.mark.filterwarnings("error")
def test_what_is_not_defined_is_nan() -> None:
    red = np.array([0, 1, -1, np.nan, np.inf, 0.2], np.float32)
    nir = np.array([0, -1, 1, 1, 1, 0.6], np.float32)
    found = compute(INDICES["ndvi"], {"N": nir, "R": red})
    np.testing.assert_array_equal(np.isnan(found), [True] * 5 + [False])
    np.testing.assert_allclose(found[-1], 0.5, rtol=1e-6)
    assert np.isnan(compute("N ** 0.5", {"N": np.array([-1], np.float32)})).all()


def exactly(node: ast.AST, values: dict[str, Fraction]) -> Fraction:
    """A formula in rational numbers."""
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    if isinstance(node, ast.Name):
        return values[node.id]
    assert isinstance(node, ast.BinOp)
    left, right = exactly(node.left, values), exactly(node.right, values)
    signs: dict[type, Any] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow"}
    return Fraction(getattr(operator, signs[type(node.op)])(left, right))


@pytest.mark.parametrize("offset", ["0", "-0.1", "-0.2", "0.003"])
@pytest.mark.parametrize("name", [name for name, formula in INDICES.items() if "/" in formula])
def test_a_divisor_of_0_is_found_though_numbers_were_rounded(name: str, offset: str) -> None:
    """Stored whole numbers near physical 0: exact arithmetic says where a divisor is 0, and what else comes out."""
    zero = round(-Fraction(offset) * 10_000)
    rng = np.random.default_rng(0)
    stored = {letter: rng.integers(zero - 3, zero + 4, 300) for letter in LETTERS}
    scale, shift = np.float32(1e-4), np.float32(offset)
    physical = {letter: values.astype(np.float32) * scale + shift for letter, values in stored.items()}
    found = compute(INDICES[name], physical, dict.fromkeys(LETTERS, float(offset)))
    tree = ast.parse(INDICES[name], mode="eval").body
    for i, value in enumerate(found):
        exact = {letter: Fraction(int(values[i]), 10_000) + Fraction(offset) for letter, values in stored.items()}
        try:
            expected = float(exactly(tree, exact))
        except ZeroDivisionError:
            expected = math.nan
        np.testing.assert_allclose(value, expected, rtol=0.01, atol=0.01, err_msg=str(exact))


FOREIGN = [
    "__import__('os')",
    "__import__('os').system('touch x')",
    "().__class__.__bases__",
    "N.dtype",
    "N.__class__",
    "abs(N)",
    "N(R)",
    "[N for N in (1, 2)]",
    "(N for N in R)",
    "{N: R}",
    "{N}",
    "[N]",
    "(N, R)",
    "N[0]",
    "N < R",
    "N == R",
    "N and R",
    "not N",
    "~N",
    "N if R else N",
    "lambda: N",
    "(N := R)",
    "f'{N}'",
    "'N'",
    "b'N'",
    "N // R",
    "N % R",
    "N @ R",
    "N << 3",
    "N | R",
    "1j * N",
    "...",
    "None",
    "1e999 * N",
    "10000000 * N",
    "9 ** 99999999",
    "9 ** 9 ** 9 ** 9",
    "999999 ** 999999 ** N",
    "2 ** N",
    "N ** R",
    "N ** -1",
    "N ** 0",
    "await N",
    "yield N",
    "*N",
    "N = R",
    "import os",
    "N; R",
    "N R",
    "",
    " ",
    "#",
    "N\0",
    "(" * 240 + "N" + ")" * 240,
    "N" + " + N" * 200,
    "N" * 10_000,
    "9" * 10_000,
]


@pytest.mark.parametrize("expression", FOREIGN, ids=lambda text: repr(text)[:30])
def test_anything_but_arithmetic_is_refused(expression: str) -> None:
    numbers = {"N": np.ones(3, np.float32), "R": np.ones(3, np.float32)}
    inputs = (("N", Band(name="n")), ("R", Band(name="r")))
    began = time.monotonic()
    with pytest.raises(ValueError, match="a formula is arithmetic over bands, not"):
        check(Formula(expression=expression, inputs=inputs))
    with pytest.raises(ValueError, match="a formula is arithmetic over bands, not") as caught:
        compute(expression, numbers)
    assert time.monotonic() - began < 1
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("expression", ["(9 ** 9) ** 999999", "(999999 ** 999999) * N", "(N ** 999999) ** 999999"])
def test_a_huge_power_costs_nothing(expression: str) -> None:
    began = time.monotonic()
    found = compute(expression, {"N": np.full(1000, 1.5, np.float32)})
    assert time.monotonic() - began < 0.5
    assert np.isnan(found).all()


@pytest.mark.parametrize("count", [10, 100, 490])
def test_many_signs_are_counted_or_refused(count: int) -> None:
    try:
        found = compute("-" * count + "N", {"N": np.ones(3, np.float32)})
    except ValueError:
        return
    np.testing.assert_array_equal(found, 1)


def test_a_letter_that_nobody_explains_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N - R\) / X does not say what R, X is"):
        check(Formula(expression="(N - R) / X", inputs=(("N", Band(name="n")),)))
    check(Formula(expression="(N - R) / 2", inputs=(("N", Band(name="n")), ("R", Band(name="r")))))


def test_inputs_stay_as_they_are() -> None:
    values = {"N": np.array([np.inf, 1], np.float32)}
    compute("N", values)
    np.testing.assert_array_equal(values["N"], [np.inf, 1])


NEAR = np.array([0.643, 0, 0.2, -0.5, np.nan], np.float32)
RED = np.array([0.175, 0, 0.2, 0.5, 1], np.float32)
Term = tuple[str, Any]
SIGNS: dict[str, Any] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide}
leaves = st.sampled_from([("N", NEAR), ("R", RED), ("2", np.float32(2)), ("0.5", np.float32(0.5))])


def joined(left: Term, sign: str, right: Term) -> Term:
    with np.errstate(all="ignore"):
        return f"({left[0]} {sign} {right[0]})", SIGNS[sign](left[1], right[1])


def raised(base: Term, by: float) -> Term:
    with np.errstate(all="ignore"):
        return f"({base[0]} ** {by})", base[1] ** np.float32(by)


def branches(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    return st.one_of(
        st.builds(joined, inner, st.sampled_from(list(SIGNS)), inner),
        st.builds(raised, inner, st.sampled_from([0.5, 1, 2, 3])),
        inner.map(lambda term: (f"(-{term[0]})", -term[1])),
    )


@given(st.recursive(leaves, branches, max_leaves=10))
def test_arithmetic_is_numpys_own(term: Term) -> None:
    expression, expected = term
    found = compute(expression, {"N": NEAR, "R": RED})
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.where(np.isfinite(expected), expected, np.float32(np.nan)))
