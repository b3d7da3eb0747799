"""Names, sizes and numbers in TeX."""

from fractions import Fraction
from keyword import iskeyword

from verimath.formula.latex.pieces import ATOM, PRODUCT, SCRIPTED, SUM, Tex
from verimath.formula.literals import Constant
from verimath.pairs import has_pairs, whole
from verimath.shapes import Size

# Without pi: that is the number.
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "phi",
        "chi",
        "psi",
        "omega",
    ]
)

_PARTS = {".re": r"\Re", ".im": r"\Im"}


def symbol(name: str) -> str:
    r"""A variable name as TeX: w1 as w_{1}, y_hat as y_{\mathrm{hat}}, words upright."""
    bare = name.rstrip("'")
    if whole(bare) != bare:  # an intermediate z of a name that was taken is z'
        return rf"{_PARTS[bare[-3:]]}{{{symbol(whole(bare) + name[len(bare) :])}}}"
    stem, _, axis = name.partition("[")
    if axis:
        return rf"{_upright(stem)}_{{{axis.rstrip(']')}}}"
    bare = name.rstrip("'")
    primes = name[len(bare) :]
    if bare.endswith("_") and iskeyword(bare[:-1]):
        bare = bare[:-1]
    head, *tails = bare.split("_")
    if not head or not all(tails):  # x_ and _x are not x
        return _upright(bare) + primes
    stem = head.rstrip("0123456789")
    digits = head[len(stem) :]
    letter = rf"\{stem}" if stem in _GREEK else _word(stem)
    subscript = ",".join(([digits] if digits else []) + [_word(tail) for tail in tails])
    return letter + primes + (f"_{{{subscript}}}" if subscript else "")


def _word(text: str) -> str:
    return text if text.isascii() and (text.isdigit() or len(text) == 1) else _upright(text)


def _upright(text: str) -> str:
    command = "mathrm" if text.isascii() else "text"  # only text has letters of all scripts
    return rf"\{command}{{{text.replace('_', chr(92) + '_')}}}"


def named_tex(name: str) -> Tex:
    """A name of a node, which may be that of the gradient or the cotangent of another."""
    kind, of, inner = name.partition(" of ")
    if not of:
        is_part = has_pairs([name.rstrip("'")])
        return Tex(symbol(name), SCRIPTED if is_part else ATOM)
    if kind == "gradient":
        return Tex(rf"\nabla {named_tex(inner).text}", SCRIPTED)
    bar = "overline" if " " in inner else "bar"
    return Tex(rf"\{bar}{{{named_tex(inner).text}}}")


def size_tex(size: Size) -> str:
    """A number of elements: 2*n*d + 1 as 2nd + 1."""
    parts: list[str] = []
    for monomial, coefficient in size.terms:
        names = r"\,".join(symbol(name) for name in monomial)
        number = "" if names and abs(coefficient) == 1 else str(abs(coefficient))
        sign = "-" if coefficient < 0 else ("+" if parts else "")
        parts.append(sign + number + names)
    return "".join(parts) or "0"


def constant_tex(constant: Constant) -> Tex:
    """A constant, as exact as it is."""
    root = "" if constant.is_rational else rf"\sqrt{{{_number(constant.radicand)}}}"
    unit = {"pi": r"\pi", "e": r"\mathrm{e}"}.get(constant.unit, root)
    sign = "-" if constant.factor < 0 else ""
    factor = abs(constant.factor)
    text = unit if unit and factor == 1 else _number(factor) + unit
    return Tex(sign + text, SUM if sign else ATOM if factor == 1 or not unit else PRODUCT)


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def decimal(value: float) -> str:
    """A float as the shortest decimal that rounds to it."""
    mantissa, _, exponent = repr(float(value)).removesuffix(".0").partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
