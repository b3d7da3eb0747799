"""The parts of complex quotients, magnitudes and exponentials, in the orders libraries evaluate.

Numbers are given by their parts: (a + ib) / (c + id) and so on. numpy and torch divide by Smith's
method, which scales by the larger part of the divisor, and multiply by a reciprocal in the end
(Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 27.8); magnitudes are
scaled, too (section 27.5); exp(a + ib) is exp(a) (cos b + i sin b), in two steps where exp(a) is
near overflow.

The derivatives are those by parts. With a cotangent g + ih of the quotient q, that of the dividend
is (g + ih) / conj(w) and that of the divisor w is -(g + ih) conj(q / w).
"""

from typing import Any

from array_api_compat import array_namespace

from verimath.composites import Composite


def applied(composite: Composite, *arrays: Any) -> Any:
    """A composite of real arrays of formulas, all of one shape."""
    return array_namespace(*arrays).composite(composite, arrays, {})


# --- quotients --------------------------------------------------------------------------------


def _smith(a: Any, b: Any, c: Any, d: Any, *, imaginary: bool) -> tuple[Any, Any]:
    """Numerator and denominator of a part by Smith's method."""
    xp = array_namespace(c)
    flat = abs(c) >= abs(d)
    large, small = xp.where(flat, c, d), xp.where(flat, d, c)
    ratio = small / large
    if imaginary:
        above = xp.where(flat, b - a * ratio, b * ratio - a)
    else:
        above = xp.where(flat, a + b * ratio, a * ratio + b)
    return above, large + small * ratio


def _smith_re(a: Any, b: Any, c: Any, d: Any) -> Any:
    above, below = _smith(a, b, c, d, imaginary=False)
    return above / below


def _smith_im(a: Any, b: Any, c: Any, d: Any) -> Any:
    above, below = _smith(a, b, c, d, imaginary=True)
    return above / below


def _reciprocal_re(a: Any, b: Any, c: Any, d: Any) -> Any:
    above, below = _smith(a, b, c, d, imaginary=False)
    return above * (1 / below)


def _reciprocal_im(a: Any, b: Any, c: Any, d: Any) -> Any:
    above, below = _smith(a, b, c, d, imaginary=True)
    return above * (1 / below)


def _quotient(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Any]:
    return applied(QUOTIENT_RE, a, b, c, d), applied(QUOTIENT_IM, a, b, c, d)


def _re_reverse(a: Any, b: Any, c: Any, d: Any, y: Any, g: Any) -> tuple[Any, Any, Any, Any]:
    above = _quotient(g, array_namespace(g).zeros_like(g), c, -d)
    re, im = _quotient(*_quotient(a, b, c, d), c, d)
    return (*above, -(g * re), g * im)


def _im_reverse(a: Any, b: Any, c: Any, d: Any, y: Any, h: Any) -> tuple[Any, Any, Any, Any]:
    above = _quotient(array_namespace(h).zeros_like(h), h, c, -d)
    re, im = _quotient(*_quotient(a, b, c, d), c, d)
    return (*above, -(h * im), -(h * re))


def _quotient_forward(
    a: Any, b: Any, c: Any, d: Any, tangents: tuple[Any, Any, Any, Any]
) -> tuple[Any, Any]:
    """(t - q u) / w for tangents t of the dividend and u of the divisor."""
    zero = array_namespace(a).zeros_like(a)
    s, t, u, v = (zero if x is None else x for x in tangents)
    re, im = _quotient(a, b, c, d)
    return _quotient(s - (re * u - im * v), t - (re * v + im * u), c, d)


def _re_forward(a: Any, b: Any, c: Any, d: Any, y: Any, *tangents: Any) -> Any:
    return _quotient_forward(a, b, c, d, tangents)[0]


def _im_forward(a: Any, b: Any, c: Any, d: Any, y: Any, *tangents: Any) -> Any:
    return _quotient_forward(a, b, c, d, tangents)[1]


QUOTIENT_RE = Composite(
    "real part of the quotient",
    lambda a, b, c, d: (a * c + b * d) / (c * c + d * d),
    (_smith_re, _reciprocal_re),
    _re_reverse,
    _re_forward,
    tex=r"\Re\frac{#1 + i\,#2}{#3 + i\,#4}",
)
QUOTIENT_IM = Composite(
    "imaginary part of the quotient",
    lambda a, b, c, d: (b * c - a * d) / (c * c + d * d),
    (_smith_im, _reciprocal_im),
    _im_reverse,
    _im_forward,
    tex=r"\Im\frac{#1 + i\,#2}{#3 + i\,#4}",
)


# A part of a complex number divided by a real one, which libraries take for a complex one.
REAL_QUOTIENT = Composite(
    "quotient",
    lambda a, c: a / c,
    (lambda a, c: a / c, lambda a, c: a * (1 / c)),
    lambda a, c, y, g: (
        applied(REAL_QUOTIENT, g, c),
        -(g * applied(REAL_QUOTIENT, y, c)),
    ),
    lambda a, c, y, s, t: _real_quotient_forward(c, y, s, t),
    tex=r"\frac{#1}{#2}",
)


def _real_quotient_forward(c: Any, y: Any, s: Any, t: Any) -> Any:
    moved = s if t is None else -(y * t) if s is None else s - y * t
    return applied(REAL_QUOTIENT, moved, c)


# --- magnitudes -------------------------------------------------------------------------------


def _plain_hypot(a: Any, b: Any) -> Any:
    return array_namespace(a).sqrt(a * a + b * b)


def _scaled_hypot(a: Any, b: Any) -> Any:
    xp = array_namespace(a)
    one, other = abs(a), abs(b)
    first = one >= other
    large, small = xp.where(first, one, other), xp.where(first, other, one)
    ratio = small / large
    return xp.where(large == 0, large, large * xp.sqrt(1 + ratio * ratio))


def _hypot_forward(a: Any, b: Any, y: Any, s: Any, t: Any) -> Any:
    parts = [applied(REAL_QUOTIENT, x, y) * u for x, u in ((a, s), (b, t)) if u is not None]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


# Where a part's square underflows or overflows, the plain formula loses digits, or all: no order.
HYPOT = Composite(
    "magnitude",
    _plain_hypot,
    (_scaled_hypot,),
    lambda a, b, y, g: (g * applied(REAL_QUOTIENT, a, y), g * applied(REAL_QUOTIENT, b, y)),
    _hypot_forward,
    tex=r"\left|#1 + i\,#2\right|",
)


def _by_magnitude(a: Any, b: Any) -> Any:
    """2a as what follows from |z|^2 by the magnitude's own derivative, 2 |z| (a / |z|)."""
    size = _scaled_hypot(a, b)
    return 2 * (size * array_namespace(a).where(size == 0, size, a / size))


# |z|^2 as conj(z) z, for which much code squares the magnitude and loses a few digits.
_TWICE = Composite(
    "twice",
    lambda a, b: 2 * a,
    (lambda a, b: 2 * a,),
    tex=r"2\,#1",
    customary=(_by_magnitude,),
)
SQUARED = Composite(
    "squared magnitude",
    lambda a, b: a * a + b * b,
    (lambda a, b: a * a + b * b,),
    lambda a, b, y, g: (g * applied(_TWICE, a, b), g * applied(_TWICE, b, a)),
    lambda a, b, y, s, t: _squared_forward(a, b, s, t),
    tex=r"\left|#1 + i\,#2\right|^{2}",
    customary=(lambda a, b: _scaled_hypot(a, b) ** 2,),
)


def _squared_forward(a: Any, b: Any, s: Any, t: Any) -> Any:
    parts = [u * applied(_TWICE, *x) for u, x in ((s, (a, b)), (t, (b, a))) if u is not None]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


# --- exponentials -----------------------------------------------------------------------------


def _exp_cos(a: Any, b: Any) -> Any:
    xp = array_namespace(a)
    return xp.exp(a) * xp.cos(b)


def _exp_sin(a: Any, b: Any) -> Any:
    xp = array_namespace(a)
    return xp.exp(a) * xp.sin(b)


def _exp_cos_twice(a: Any, b: Any) -> Any:
    xp = array_namespace(a)
    half = xp.exp(a / 2)
    return half * (half * xp.cos(b))


def _exp_sin_twice(a: Any, b: Any) -> Any:
    xp = array_namespace(a)
    half = xp.exp(a / 2)
    return half * (half * xp.sin(b))


def _exp_re_forward(a: Any, b: Any, y: Any, s: Any, t: Any) -> Any:
    parts = ([] if s is None else [y * s]) + ([] if t is None else [-(applied(EXP_IM, a, b) * t)])
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _exp_im_forward(a: Any, b: Any, y: Any, s: Any, t: Any) -> Any:
    parts = ([] if s is None else [y * s]) + ([] if t is None else [applied(EXP_RE, a, b) * t])
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


EXP_RE = Composite(
    "real part of the exponential",
    _exp_cos,
    (_exp_cos, _exp_cos_twice),
    lambda a, b, y, g: (g * y, -(g * applied(EXP_IM, a, b))),
    _exp_re_forward,
    tex=r"\Re \mathrm{e}^{#1 + i\,#2}",
)
EXP_IM = Composite(
    "imaginary part of the exponential",
    _exp_sin,
    (_exp_sin, _exp_sin_twice),
    lambda a, b, y, g: (g * y, g * applied(EXP_RE, a, b)),
    _exp_im_forward,
    tex=r"\Im \mathrm{e}^{#1 + i\,#2}",
)
