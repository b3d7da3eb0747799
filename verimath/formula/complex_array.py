"""Complex arrays of formulas: pairs of real arrays, and what the standard does to them.

The parts are traced arrays or arrays of sympy's expressions; either way only real operations are
made. A product's parts are sums of two products (Higham, ASNA, 2nd ed., section 3.6), a quotient,
a magnitude and an exponential come in the orders of `complex_parts`. In a formula of complex inputs
every array is one of these, so that there is one namespace; a real one has no imaginary part.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NoReturn

from array_api_compat import array_namespace

from verimath.formula import complex_parts
from verimath.formula.refusing import Refusing
from verimath.formula.source import refused
from verimath.pairs import grouped, halves

# Functions that do the same to both parts.
_PARTWISE = frozenset(
    {
        "sum",
        "mean",
        "reshape",
        "permute_dims",
        "matrix_transpose",
        "expand_dims",
        "squeeze",
        "broadcast_to",
        "flip",
        "take",
        "tril",
        "triu",
        "cumulative_sum",
        "ones_like",
        "zeros_like",
    }
)
_TOGETHER = frozenset({"concat", "stack"})
_LINALG_PARTWISE = frozenset({"trace", "diagonal", "matrix_transpose"})
_OWN = (
    "+ - * / @ abs == !=",
    "** with 1, 2 or 3",
    "real",
    "imag",
    "conj",
    "exp",
    "where",
    "square",
    "vecdot",
    "tensordot",
    "linalg.outer",
)


def joined(inputs: Mapping[str, Any]) -> list[Any]:
    """The arrays a function is given: each pair as one, and the others with them in one namespace.

    The inputs themselves where there is no pair.
    """
    groups = grouped(inputs).values()
    if all(len(parts) == 1 for parts in groups):
        return list(inputs.values())
    return [ComplexArray(*(inputs[part] for part in parts)) for parts in groups]


def apart(results: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[bool, ...]]:
    """The real arrays that results are made of, and which results are pairs of them."""
    found: list[Any] = []
    pairs: list[bool] = []
    for result in results:
        pairs.append(isinstance(result, ComplexArray) and result.im is not None)
        whole = (result.re, result.im) if isinstance(result, ComplexArray) else (result,)
        found += [part for part in whole if part is not None]
    return tuple(found), tuple(pairs)


def named_parts(name: str, value: Any) -> tuple[tuple[str, Any], ...]:
    """The arrays that a variable of a formula holds, by their names."""
    if not isinstance(value, ComplexArray):
        return ((name, value),)
    if value.im is None:
        return ((name, value.re),)
    return tuple(zip(halves(name), (value.re, value.im), strict=True))


class ComplexArray(Refusing):
    """An array of the standard by its parts; `im` is None for one of real numbers.

    A conjugate knows of what (`conjugate_of`), so that conj(z) z is read as |z|^2.
    """

    __slots__ = ("conjugate_of", "im", "re")
    __array_priority__ = 1000
    device = "none"

    def __init__(self, re: Any, im: Any = None, conjugate_of: "ComplexArray | None" = None) -> None:
        self.re, self.im, self.conjugate_of = re, im, conjugate_of

    def __array_namespace__(self, *, api_version: str | None = None) -> "_Namespace":
        return NAMESPACE

    @property
    def dtype(self) -> Any:
        """What kind of numbers: "complex", or what the one part has."""
        return self.re.dtype if self.im is None else "complex"

    @property
    def shape(self) -> Any:
        """Sizes, as those of the parts."""
        return self.re.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.re.ndim

    @property
    def size(self) -> Any:
        """Number of elements."""
        return self.re.size

    @property
    def T(self) -> "ComplexArray":
        """Transpose of a matrix, not conjugated."""
        return _partwise(lambda x: x.T, self)

    @property
    def mT(self) -> "ComplexArray":
        """Transpose of the last two axes, not conjugated."""
        return _partwise(lambda x: x.mT, self)

    def __add__(self, other: Any) -> "ComplexArray":
        return _sum(self, _lifted(other))

    def __radd__(self, other: Any) -> "ComplexArray":
        return _sum(_lifted(other), self)

    def __neg__(self) -> "ComplexArray":
        return _partwise(lambda x: -x, self)

    def __pos__(self) -> "ComplexArray":
        return self

    def __sub__(self, other: Any) -> "ComplexArray":
        return _difference(self, _lifted(other))

    def __rsub__(self, other: Any) -> "ComplexArray":
        return _difference(_lifted(other), self)

    def __mul__(self, other: Any) -> "ComplexArray":
        return _product(self, _lifted(other))

    def __rmul__(self, other: Any) -> "ComplexArray":
        return _product(_lifted(other), self)

    def __truediv__(self, other: Any) -> "ComplexArray":
        return _quotient(self, _lifted(other))

    def __rtruediv__(self, other: Any) -> "ComplexArray":
        return _quotient(_lifted(other), self)

    def __matmul__(self, other: Any) -> "ComplexArray":
        return _bilinear(lambda a, b: a @ b, self, _lifted(other))

    def __rmatmul__(self, other: Any) -> "ComplexArray":
        return _bilinear(lambda a, b: a @ b, _lifted(other), self)

    def __pow__(self, exponent: Any) -> "ComplexArray":
        if self.im is None:
            return ComplexArray(self.re**exponent)
        # Libraries take other powers through the logarithm, which loses digits of single parts.
        if isinstance(exponent, bool) or exponent not in (1, 2, 3):
            raise refused(
                f"a complex power with exponent {exponent!r}; wanted 1, 2 or 3 (write others as "
                "products and quotients)"
            )
        return self if exponent == 1 else self * self if exponent == 2 else self * self * self

    def __abs__(self) -> "ComplexArray":
        if self.im is None:
            return ComplexArray(abs(self.re))
        return ComplexArray(_composite(complex_parts.HYPOT, self.re, self.im))

    def __eq__(self, other: object) -> "ComplexArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        a, b = self, _lifted(other)
        same = a.re == b.re
        if a.im is None and b.im is None:
            return ComplexArray(same)
        return ComplexArray(same & (_or_zero(a.im) == _or_zero(b.im)))

    def __ne__(self, other: object) -> "ComplexArray":  # pyright: ignore[reportIncompatibleMethodOverride]
        return _partwise(lambda mask: ~mask, self == other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __getitem__(self, key: Any) -> "ComplexArray":
        bare = tuple(map(_bare, key)) if isinstance(key, tuple) else _bare(key)
        return _partwise(lambda x: x[bare], self)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)  # protocols probe for these
        what = f"; wanted xp.{name}(z)" if name in ("real", "imag", "conj") else ""
        raise refused(
            f"`.{name}` is no attribute of the array API standard{what}; "
            "use functions of `xp = array_namespace(x)`"
        )

    def __repr__(self) -> str:
        return f"ComplexArray({self.re!r}, {self.im!r})"


def _on_real(name: str) -> Callable[..., ComplexArray]:
    """An operator that only real arrays have."""

    def operate(self: ComplexArray, *others: Any) -> ComplexArray:
        if any(x.im is not None for x in (self, *map(_lifted, others))):
            raise _missing(f"the operator {name}")
        return ComplexArray(getattr(self.re, name)(*map(_bare, others)))

    return operate


for _name in ("lt", "le", "gt", "ge", "and", "or", "invert"):
    setattr(ComplexArray, f"__{_name}__", _on_real(f"__{_name}__"))


def _missing(what: str) -> Exception:
    known = ", ".join([*_OWN, *sorted(_PARTWISE | _TOGETHER)])
    return refused(f"{what} of complex arrays is not there; there are {known}")


def _lifted(value: Any) -> ComplexArray:
    """An array by its parts; of a complex number, too."""
    if isinstance(value, ComplexArray):
        return value
    if isinstance(value, complex):
        return ComplexArray(_literal(value.real), _literal(value.imag))
    return ComplexArray(value)


def _literal(number: float) -> float | int:
    return int(number) if number.is_integer() else number


def _bare(value: Any) -> Any:
    """What the parts' own library takes: a real array, a number, a key.

    Raises FormulaError for an array of complex numbers.
    """
    if isinstance(value, ComplexArray):
        if value.im is not None:
            raise _missing("this argument")
        return value.re
    if isinstance(value, list | tuple):
        return type(value)(map(_bare, value))
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Fraction) and not isinstance(value, bool)


def _is_zero(value: Any) -> bool:
    return _is_number(value) and value == 0


def _or_zero(im: Any) -> Any:
    return 0 if im is None else im


def _plus(a: Any, b: Any) -> Any:
    """The sum of imaginary parts, of which one may be missing."""
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _minus(a: Any, b: Any) -> Any:
    if b is None or _is_zero(b):
        return a
    return -b if a is None or _is_zero(a) else a - b


def _times(a: Any, b: Any) -> Any:
    """A product, without the zeros and ones of a complex number that was written down."""
    for one, other in ((a, b), (b, a)):
        if one is None or _is_zero(one):
            return one
        if _is_number(one) and abs(one) == 1:
            return other if one == 1 else -other
    return a * b


def _spread(x: Any, like: Any) -> Any:
    return array_namespace(like).broadcast_to(x, like.shape)


def _sum(a: ComplexArray, b: ComplexArray) -> ComplexArray:
    return _full(a.re + b.re, _plus(a.im, b.im))


def _difference(a: ComplexArray, b: ComplexArray) -> ComplexArray:
    im = None if a.im is None and b.im is None else _minus(a.im, b.im)
    return _full(a.re - b.re, im)


def _product(a: ComplexArray, b: ComplexArray) -> ComplexArray:
    if a.im is None and b.im is None:
        return ComplexArray(a.re * b.re)
    if a.im is None or b.im is None:
        real, pair = (a, b) if a.im is None else (b, a)
        if not (_is_number(pair.re) or _is_number(pair.im)):
            return _partwise(lambda x: real.re * x, pair)
        return _full(_times(real.re, pair.re), _times(real.re, pair.im))
    if a.conjugate_of is b or b.conjugate_of is a:
        whole = b if a.conjugate_of is b else a
        squared = _composite(complex_parts.SQUARED, whole.re, whole.im)
        return ComplexArray(squared, a.re * b.im + a.im * b.re)
    ac, bd = _times(a.re, b.re), _times(a.im, b.im)
    ad, bc = _times(a.re, b.im), _times(a.im, b.re)
    im = bc if _is_zero(ad) else ad if _is_zero(bc) else ad + bc
    return _full(_minus(ac, bd), im)


def _full(re: Any, im: Any) -> ComplexArray:
    """A pair, of which a written zero may have left one part a number."""
    if _is_number(re):
        re = _spread(re, im)
    return ComplexArray(re, _spread(im, re) if _is_number(im) else im)


def _quotient(a: ComplexArray, b: ComplexArray) -> ComplexArray:
    if b.im is not None:
        if _is_number(b.re):
            raise refused("a quotient by a complex number; multiply by its reciprocal")
        return _divided(a, b)
    if a.im is None or not hasattr(b.re, "__array_namespace__"):
        # By a number both parts are divided, which has a rule of its own.
        return _partwise(lambda x: x / b.re, a)
    return _partwise(lambda x: _composite(complex_parts.REAL_QUOTIENT, x, b.re), a)


def _divided(a: ComplexArray, b: ComplexArray) -> ComplexArray:
    numbers = (a.re, _or_zero(a.im), b.re, b.im)
    return ComplexArray(
        _composite(complex_parts.QUOTIENT_RE, *numbers),
        _composite(complex_parts.QUOTIENT_IM, *numbers),
    )


def _composite(composite: Any, *arrays: Any) -> Any:
    """A composite of real arrays, spread to one shape so that its rules need not undo that."""
    like, *others = (x for x in arrays if hasattr(x, "__array_namespace__"))
    for other in others:
        like = like + other
    return complex_parts.applied(composite, *(_spread(x, like) for x in arrays))


def _bilinear(f: Callable[[Any, Any], Any], a: ComplexArray, b: ComplexArray) -> ComplexArray:
    """A product of arrays in which each part of one meets each part of the other."""
    if a.im is None and b.im is None:
        return ComplexArray(f(a.re, b.re))
    if a.im is None or b.im is None:
        raise refused(
            "a product of a matrix of real and one of complex numbers, which torch doesn't have; "
            "make the real one complex, as in `(A + 0j) @ z`"
        )
    return ComplexArray(f(a.re, b.re) - f(a.im, b.im), f(a.re, b.im) + f(a.im, b.re))


def _partwise(f: Callable[[Any], Any], x: ComplexArray) -> ComplexArray:
    return ComplexArray(f(x.re), None if x.im is None else f(x.im))


class _Linalg:
    """The `linalg` extension."""

    def __getattr__(self, name: str) -> Any:
        if name in ("matmul", "tensordot", "vecdot"):
            return getattr(NAMESPACE, name)

        def call(x: ComplexArray, *others: Any, **options: Any) -> Any:
            if name in _LINALG_PARTWISE:
                return _partwise(lambda a: getattr(_of(a).linalg, name)(a, **options), x)
            if name == "outer":
                return _bilinear(lambda a, b: _of(a).linalg.outer(a, b), x, *map(_lifted, others))
            return _real_only(f"linalg.{name}", lambda xp: getattr(xp.linalg, name))(
                x, *others, **options
            )

        return call


def _of(part: Any) -> Any:
    return array_namespace(part)


def _arrays_in(value: Any) -> list[ComplexArray]:
    if isinstance(value, list | tuple):
        return [found for each in value for found in _arrays_in(each)]
    return [value] if isinstance(value, ComplexArray) else []


def _real_only(name: str, function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of the parts' own library, for real arrays."""

    def call(*arguments: Any, **options: Any) -> Any:
        arrays = _arrays_in((*arguments, *options.values()))
        complex_ = any(isinstance(x, complex) for x in arguments)
        if complex_ or any(x.im is not None for x in arrays):
            raise _missing(f"`xp.{name}`")
        # Without an array, as in xp.ones(n), there is none to say whose namespace it is.
        xp = _of(arrays[0].re) if arrays else _traced_namespace()
        bare = {key: _bare(value) for key, value in options.items()}
        found = function(xp)(*map(_bare, arguments), **bare)
        return tuple(map(ComplexArray, found)) if isinstance(found, tuple) else ComplexArray(found)

    return call


def _traced_namespace() -> Any:
    from verimath.formula.namespace import NAMESPACE as TRACED

    return TRACED


class _Namespace:
    """The functions of the standard for complex arrays; the others are for real ones alone."""

    __name__ = "verimath.complex"  # array_namespace compares namespaces by name

    float32 = float64 = "real"
    complex64 = complex128 = "complex"
    int32 = int64 = "integer"
    pi = 3.141592653589793
    e = 2.718281828459045
    newaxis = None
    linalg = _Linalg()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        real = _real_only(name, lambda xp: getattr(xp, name))

        def call(*arguments: Any, **options: Any) -> Any:
            first = arguments[0] if arguments else None
            if name in _TOGETHER and any(x.im is not None for x in _arrays_in(first)):
                return self._together(name, list(map(_lifted, arguments[0])), options)
            if name in _PARTWISE and isinstance(first, ComplexArray) and first.im is not None:
                rest = tuple(map(_bare, arguments[1:]))
                bare = {key: _bare(value) for key, value in options.items()}
                return self._partwise(name, first, rest, bare)
            return real(*arguments, **options)

        return call

    def _partwise(
        self, name: str, x: ComplexArray, rest: tuple[Any, ...], options: dict[str, Any]
    ) -> ComplexArray:
        made = _partwise(lambda a: getattr(_of(a), name)(a, *rest, **options), x)
        if name == "ones_like":
            made.im = _of(made.re).zeros_like(made.re)
        return made

    def _together(
        self, name: str, arrays: list[ComplexArray], options: dict[str, Any]
    ) -> ComplexArray:
        xp = _of(arrays[0].re)
        im = [_of(x.re).zeros_like(x.re) if x.im is None else x.im for x in arrays]
        function = getattr(xp, name)
        return ComplexArray(function([x.re for x in arrays], **options), function(im, **options))

    def real(self, x: ComplexArray) -> ComplexArray:
        self._check(x, "real")
        return ComplexArray(x.re)

    def imag(self, x: ComplexArray) -> ComplexArray:
        self._check(x, "imag")
        return ComplexArray(x.im)

    def _check(self, x: Any, name: str) -> None:
        if not isinstance(x, ComplexArray) or x.im is None:
            raise refused(f"`xp.{name}` of an array of real numbers; wanted complex ones")

    def conj(self, x: ComplexArray) -> ComplexArray:
        return x if x.im is None else ComplexArray(x.re, -x.im, conjugate_of=x)

    def abs(self, x: ComplexArray) -> ComplexArray:
        return abs(x)

    def exp(self, x: Any) -> ComplexArray:
        if x.im is None:
            return ComplexArray(_of(x.re).exp(x.re))
        return ComplexArray(
            _composite(complex_parts.EXP_RE, x.re, x.im),
            _composite(complex_parts.EXP_IM, x.re, x.im),
        )

    def where(self, mask: Any, a: Any, b: Any) -> ComplexArray:
        m, a, b = _bare(mask), _lifted(a), _lifted(b)
        xp = _of(m)
        found = xp.where(m, a.re, b.re)
        if a.im is None and b.im is None:
            return ComplexArray(found)
        return ComplexArray(found, xp.where(m, _or_zero(a.im), _or_zero(b.im)))

    def astype(self, x: ComplexArray, dtype: Any, *, copy: Any = True) -> ComplexArray:
        if dtype != "complex":
            return _real_only("astype", lambda xp: xp.astype)(x, dtype)
        zero = _of(x.re).zeros_like(x.re) if x.im is None else x.im
        return ComplexArray(x.re, zero)

    def asarray(self, values: Any, *, dtype: Any = None, device: Any = None) -> Any:
        if isinstance(values, ComplexArray):
            return values
        return _real_only("asarray", lambda xp: xp.asarray)(values)

    def add(self, a: Any, b: Any) -> ComplexArray:
        return _lifted(a) + b

    def subtract(self, a: Any, b: Any) -> ComplexArray:
        return _lifted(a) - b

    def multiply(self, a: Any, b: Any) -> ComplexArray:
        return _lifted(a) * b

    def divide(self, a: Any, b: Any) -> ComplexArray:
        return _lifted(a) / b

    def negative(self, x: Any) -> ComplexArray:
        return -_lifted(x)

    def positive(self, x: Any) -> ComplexArray:
        return _lifted(x)

    def pow(self, x: Any, exponent: Any) -> ComplexArray:
        return _lifted(x) ** exponent

    def square(self, x: Any) -> ComplexArray:
        return _lifted(x) ** 2

    def equal(self, a: Any, b: Any) -> ComplexArray:
        return _lifted(a) == b

    def not_equal(self, a: Any, b: Any) -> ComplexArray:
        return _lifted(a) != b

    def matmul(self, a: Any, b: Any) -> ComplexArray:
        return _lifted(a) @ b

    def tensordot(self, a: ComplexArray, b: ComplexArray, *, axes: Any = 2) -> ComplexArray:
        return _bilinear(lambda x, y: _of(x).tensordot(x, y, axes=axes), a, b)

    def vecdot(self, a: ComplexArray, b: ComplexArray, *, axis: int = -1) -> ComplexArray:
        """The sum of conj(a) b along an axis, as the standard has it."""
        return _bilinear(lambda x, y: _of(x).vecdot(x, y, axis=axis), self.conj(a), b)

    def composite(
        self, composite: Any, arrays: Sequence[Any], options: Mapping[str, Any]
    ) -> ComplexArray:
        """A named function of real arrays (see `verimath.composites`)."""
        if any(x.im is not None for x in _arrays_in(list(arrays))):
            raise _missing(f"`{composite.name}`")
        bare = [_bare(x) for x in arrays]
        xp = _of(next(x for x in bare if hasattr(x, "__array_namespace__")))
        return ComplexArray(xp.composite(composite, bare, options))


NAMESPACE = _Namespace()
