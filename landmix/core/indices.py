"""Spectral indices: extra bands that are computed from others by a short formula."""

from __future__ import annotations

import ast
import difflib
import operator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.core.bands import Band, BandSet, Formula
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

LETTERS = {
    "A": ("coastal",),
    "B": ("blue",),
    "G": ("green",),
    "R": ("red",),
    "RE1": ("rededge071", "rededge"),
    "RE2": ("rededge075",),
    "RE3": ("rededge078",),
    "N": ("nir", "nir08"),
    "N2": ("nir08", "nir"),
    "S1": ("swir16",),
    "S2": ("swir22",),
}
"""What formulas call a band, and its STAC common names, the preferred one first."""

INDICES = {
    "ndvi": "(N - R) / (N + R)",
    "gndvi": "(N - G) / (N + G)",
    "bndvi": "(N - B) / (N + B)",
    "ndre": "(N - RE1) / (N + RE1)",
    "ndrei": "(N - RE1) / (N + RE1)",
    "cig": "N / G - 1",
    "cire": "N / RE1 - 1",
    "evi": "2.5 * (N - R) / (N + 6 * R - 7.5 * B + 1)",
    "evi2": "2.5 * (N - R) / (N + 2.4 * R + 1)",
    "savi": "1.5 * (N - R) / (N + R + 0.5)",
    "osavi": "(N - R) / (N + R + 0.16)",
    "msavi": "0.5 * (2 * N + 1 - ((2 * N + 1) ** 2 - 8 * (N - R)) ** 0.5)",
    "sr": "N / R",
    "vari": "(G - R) / (G + R - B)",
    "ndwi": "(G - N) / (G + N)",
    "mndwi": "(G - S1) / (G + S1)",
    "ndmi": "(N - S1) / (N + S1)",
    "ndii": "(N - S1) / (N + S1)",
    "msi": "S1 / N",
    "aweish": "B + 2.5 * G - 1.5 * (N + S1) - 0.25 * S2",
    "ndti": "(R - G) / (R + G)",
    "nbr": "(N - S2) / (N + S2)",
    "nbr2": "(S1 - S2) / (S1 + S2)",
    "bai": "1 / ((0.1 - R) ** 2 + (0.06 - N) ** 2)",
    "ndbi": "(S1 - N) / (S1 + N)",
    "ui": "(S2 - N) / (S2 + N)",
    "bi": "((S1 + R) - (N + B)) / ((S1 + R) + (N + B))",
    "ndsi": "(G - S1) / (G + S1)",
    "ndsii": "(G - N) / (G + N)",
}
"""Standard names and formulas; values of reflectance. As the public list "Awesome Spectral Indices" has them."""

# STAC's own ranges of wavelengths in nm; narrower ones stand first.
_RANGES = {
    "coastal": (400, 450),
    "blue": (450, 515),
    "green": (515, 600),
    "red": (620, 690),
    "rededge071": (690, 720),
    "rededge075": (720, 760),
    "rededge078": (760, 795),
    "nir": (795, 855),
    "nir08": (855, 895),
    "swir16": (1550, 1750),
    "swir22": (2080, 2350),
}


def features(names: Sequence[str], bands: BandSet, where: str) -> list[Band]:
    """The spectral indices `names` of a scene's bands; in a scene of several roles one for each role.

    Raises `LandmixError` for a name that is not known or stands twice, and for a band that `where` lacks.
    """
    roles = list(dict.fromkeys(band.role for band in bands))
    small = [name.casefold() for name in names]
    doubled = next((name for name in small if small.count(name) > 1), None)
    if doubled is not None:
        msg = f"data.features must name each index once, but {doubled} is named twice"
        raise LandmixError(msg)
    return [_feature(name, bands, role, where) for role in roles for name in names]


def _feature(name: str, bands: BandSet, role: str, where: str) -> Band:
    expression = INDICES.get(name.casefold())
    if expression is None:
        near = difflib.get_close_matches(name.casefold(), INDICES, 3, 0.4)
        msg = f"data.features knows no index '{name}': it knows {', '.join(INDICES)}{_hint(near)}"
        raise LandmixError(msg)
    inputs = tuple((letter, _find(letter, bands, role, name, where)) for letter in sorted(_letters(expression)))
    own = f"{role}.{name.casefold()}".removeprefix(".")
    if own in bands.names:
        msg = f"data.features would add {own}, but {where} has a band of that name"
        raise LandmixError(msg)
    return Band(name=own, role=role, unit="index", formula=Formula(expression=expression, inputs=inputs))


def _hint(near: list[str]) -> str:
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _find(letter: str, bands: BandSet, role: str, name: str, where: str) -> Band:
    """The band that a letter means."""
    found = common_band(LETTERS[letter], bands, role)
    if found is not None:
        return found
    msg = f"the index {name} needs a {LETTERS[letter][0]} band, but none of {where} is known as one: it has {bands}"
    raise LandmixError(msg)


def needs_reflectance(band: Band) -> bool:
    """Whether a band is an index whose constants only suit reflectance, computed from something else."""
    formula = band.formula
    if formula is None or all(own.unit == "reflectance" for _, own in formula.inputs):
        return False
    numbers = [node.value for node in ast.walk(_parsed(formula.expression)) if isinstance(node, ast.Constant)]
    return any(number != 1 for number in numbers) or "+ 1" in formula.expression


def common_band(wanted: Sequence[str], bands: BandSet, role: str = "") -> Band | None:
    """The band of a role that has one of the common names `wanted`, the first ones preferred.

    By common name, by a name that is a common one, or by wavelength; None if there is none.
    """
    own = [band for band in bands if band.role == role and band.formula is None]
    for common in wanted:
        for band in own:
            if common in (band.common, band.name.removeprefix(f"{role}.").casefold()):
                return band
    for common in wanted:
        low, high = _RANGES.get(common, (0, 0))
        inside = [band for band in own if band.wavelength is not None and low <= band.wavelength < high]
        if inside:
            middle = (low + high) / 2
            return min(inside, key=lambda band: abs((band.wavelength or 0) - middle))
    return None


def compute(
    expression: str, values: Mapping[str, NDArray[np.float32]], offsets: Mapping[str, float] | None = None
) -> NDArray[np.float32]:
    """The value of a formula, float32; NaN where it is not defined (divided by 0, or anything infinite).

    `values` are physical values of one shape by letter, `offsets` what was added to `stored * scale` to make them: 0,
    made so, is only 0 but for rounding. Raises `ValueError` for anything but arithmetic.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(arithmetic(expression, values, offsets or {}, np.float32), np.float32)
    return np.where(np.isfinite(result), result, np.float32(np.nan))


def arithmetic(
    expression: str, values: Mapping[str, Any], offsets: Mapping[str, float], number: Callable[[float], Any]
) -> Any:
    """The value of a formula over arrays or tensors of float32; NaN or infinite where it is not defined.

    `number` makes one of a constant. A divisor that cannot be told from 0, because its terms were rounded, is 0: of
    reflectances stored with an offset, N + R of black pixels is about 1e-8, and (N - R) / (N + R) anything.
    """
    return _Terms(values, offsets, number).of(_parsed(expression))[0]


@cache
def _parsed(expression: str) -> ast.expr:
    """The syntax tree of a formula: only + - * /, ** by a number above 0, numbers and letters."""
    try:
        tree = ast.parse(expression, mode="eval").body if len(expression) < 500 else None  # noqa: PLR2004
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    allowed = (ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.operator, ast.USub)
    for node in ast.walk(tree) if tree is not None else [None]:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) < 1e6:  # noqa: PLR2004
            continue
        known = not isinstance(node, ast.operator) or type(node) in _OPERATORS
        if not isinstance(node, allowed) or not known or not _plain_power(node):
            msg = f"a formula is arithmetic over bands, not {expression[:80]!r}"
            raise ValueError(msg)
    assert tree is not None  # noqa: S101 - the loop raised
    return tree


def _plain_power(node: ast.AST) -> bool:
    """Whether it is no power, or one by a number above 0."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)):
        return True
    return isinstance(node.right, ast.Constant) and isinstance(node.right.value, int | float) and node.right.value > 0


def _letters(expression: str) -> set[str]:
    return {node.id for node in ast.walk(_parsed(expression)) if isinstance(node, ast.Name)}


def check(formula: Formula) -> None:
    """Raise `ValueError` where a formula is no arithmetic, or needs a letter that it does not explain."""
    if not formula.inputs:
        msg = f"the formula {formula.expression} needs a band"
        raise ValueError(msg)
    missing = _letters(formula.expression) - {letter for letter, _ in formula.inputs}
    if missing:
        msg = f"the formula {formula.expression} does not say what {', '.join(sorted(missing))} is"
        raise ValueError(msg)


_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""Of each term, relative to its size: it was scaled, shifted, added, and clients of exported graphs round too."""

_TINY = 1e-30
"""Beside 0, where powers below 1 have no slope."""

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the letters of a formula mean."""

    values: Mapping[str, Any]
    offsets: Mapping[str, float]
    number: Callable[[float], Any]

    def of(self, node: ast.AST, *, bounded: bool = False) -> tuple[Any, Any]:
        """The value of a part of a formula and, if `bounded`, how far rounding may have taken it, in `_ROUNDING`."""
        if isinstance(node, ast.Constant):
            value = self.number(float(node.value))  # type: ignore[arg-type]  # `_parsed` let only numbers through
            return value, abs(value)
        if isinstance(node, ast.Name):
            value = self.values[node.id]
            return value, abs(value) + 2 * abs(self.offsets.get(node.id, 0.0)) if bounded else None
        if isinstance(node, ast.UnaryOp):
            value, off = self.of(node.operand, bounded=bounded)
            return -value, off
        assert isinstance(node, ast.BinOp)  # noqa: S101 - `_parsed` let nothing else through
        divided = isinstance(node.op, ast.Div)
        left, left_off = self.of(node.left, bounded=bounded)
        right, right_off = self.of(node.right, bounded=bounded or divided)
        if divided:
            right = right * (abs(right) > _ROUNDING * right_off)
        value = _OPERATORS[type(node.op)](left, right)
        return value, _off(node.op, value, (left, left_off), (right, right_off)) if bounded else None


def _off(sign: ast.operator, value: Any, left: tuple[Any, Any], right: tuple[Any, Any]) -> Any:
    """How far a result may be off because its terms are, to first order, and because it is rounded itself."""
    (a, a_off), (b, b_off) = left, right
    if isinstance(sign, ast.Add | ast.Sub):
        off = a_off + b_off
    elif isinstance(sign, ast.Mult):
        off = abs(a) * b_off + abs(b) * a_off
    elif isinstance(sign, ast.Div):
        off = (a_off + abs(value) * b_off) / abs(b)
    else:
        off = b * (abs(a) + _TINY) ** (b - 1) * a_off
    return off + abs(value)
