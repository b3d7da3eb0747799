"""Complex numbers: conjugates, magnitudes, quotients, a Fourier transform, and gradients.

The gradient of a real number L in z is dL/d re + i dL/d im, as torch has it (its notes on autograd
mechanics, "Autograd for Complex Numbers"); Wirtinger's derivatives are half of it and its conjugate
(Kreutz-Delgado, *The Complex Gradient Operator and the CR-Calculus*, 2009, section 3 and 4.2).
"""

from typing import Any

from array_api_compat import array_namespace

from verimath import Claim, Domain, Equal, Gradient, autograd, complexes, numeric

_NUMBERS = Domain(z=complexes("*shape"), w=complexes("*shape"))
_VECTOR = Domain(z=complexes("n"))
_SYSTEM = Domain(A=complexes("m n"), z=complexes("n"), b=complexes("m"))


def _conj(z: Any) -> Any:
    return array_namespace(z).conj(z)


def _square(z: Any) -> Any:
    """|z|^2 as a real array."""
    return array_namespace(z).real(_conj(z) * z)


def _length(z: Any) -> Any:
    """The squared length of a vector."""
    return array_namespace(z).sum(_square(z))


conjugate_of_product = Claim(
    id="conjugate-of-product",
    title="The conjugate of a product is the product of the conjugates",
    source="Ahlfors, Complex Analysis, 3rd ed., section 1.1.3",
    domain=_NUMBERS,
    statement=Equal(left=lambda z, w: _conj(z * w), right=lambda z, w: _conj(z) * _conj(w)),
    mutants={
        "one conjugate forgotten": lambda z, w: _conj(z) * w,
        "not conjugated": lambda z, w: z * w,
        "the imaginary part dropped": lambda z, w: array_namespace(z).real(z * w) + 0j,
    },
)


magnitude_of_product = Claim(
    id="magnitude-of-product",
    title="|zw|² = |z|²|w|²: sums of two squares multiply (Diophantus)",
    source="Ahlfors, Complex Analysis, 3rd ed., section 1.1.4",
    domain=_NUMBERS,
    statement=Equal(left=lambda z, w: _square(z * w), right=lambda z, w: _square(z) * _square(w)),
    routes=[numeric("by magnitudes", lambda z, w: (abs(z) * abs(w)) ** 2)],
    mutants={
        "z z for |z|²": lambda z, w: array_namespace(z).real(z * z) * _square(w),
        "|z| for |z|²": lambda z, w: abs(z) * abs(w),
    },
)


quotient_by_conjugate = Claim(
    id="quotient-by-conjugate",
    title="z/w is z times the conjugate of w, over |w|²",
    source="Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 27.8",
    domain=_NUMBERS,
    statement=Equal(left=lambda z, w: z / w, right=lambda z, w: z * _conj(w) / _square(w)),
    mutants={
        "not conjugated": lambda z, w: z * w / _square(w),
        "the other one conjugated": lambda z, w: _conj(z) * w / _square(w),
        "over |w|": lambda z, w: z * _conj(w) / abs(w),
    },
)


adjoint_of_product = Claim(
    id="adjoint-of-product",
    title="The adjoint of a product is the product of the adjoints in the other order",
    source="Horn and Johnson, Matrix Analysis, 2nd ed., section 0.2.5",
    domain=Domain(A=complexes("n m"), B=complexes("m k")),
    statement=Equal(left=lambda A, B: _conj(A @ B).T, right=lambda A, B: _conj(B).T @ _conj(A).T),
    mutants={
        "transposed instead": lambda A, B: B.T @ A.T,
        "one only transposed": lambda A, B: B.T @ _conj(A).T,
    },
)


def _transformed(a: Any, b: Any, c: Any, d: Any) -> Any:
    """The squared length of the discrete Fourier transform of four numbers."""
    even, odd = (a + c, b + d), (a - c, b - d)
    first, third = _square(even[0] + even[1]), _square(even[0] - even[1])
    second, fourth = _square(odd[0] - 1j * odd[1]), _square(odd[0] + 1j * odd[1])
    return first + second + third + fourth


def _squares(a: Any, b: Any, c: Any, d: Any) -> Any:
    return _square(a) + _square(b) + _square(c) + _square(d)


parseval = Claim(
    id="parseval-four",
    title="A Fourier transform of four numbers makes their squared length four times as large",
    source="Golub and Van Loan, Matrix Computations, 4th ed., section 1.4.1",
    domain=Domain(a=complexes("n"), b=complexes("n"), c=complexes("n"), d=complexes("n")),
    statement=Equal(left=_transformed, right=lambda a, b, c, d: 4 * _squares(a, b, c, d)),
    mutants={
        "unitary": _squares,
        "squares for squared magnitudes": lambda a, b, c, d: (
            4 * array_namespace(a).real(a * a + b * b + c * c + d * d)
        ),
    },
)


def _reflected(z: Any, v: Any) -> Any:
    """The vector z - 2 v (v* z) / (v* v)."""
    xp = array_namespace(z)
    return z - 2 * v * xp.sum(_conj(v) * z) / _length(v)


reflection = Claim(
    id="complex-reflection",
    title="A reflection at the plane orthogonal to a complex vector keeps lengths",
    source="Golub and Van Loan, Matrix Computations, 4th ed., section 5.1.13",
    domain=Domain(z=complexes("n"), v=complexes("n")),
    statement=Equal(left=lambda z, v: _length(_reflected(z, v)), right=lambda z, v: _length(z)),
    mutants={
        "z z for |z|²": lambda z, v: array_namespace(z).real(array_namespace(z).sum(z * z)),
        "of the other vector": lambda z, v: _length(v),
    },
)


def _by_hand(z: Any) -> Any:
    """Both partial derivatives, put together."""
    return 2 * z.real + 2j * z.imag


squared_magnitude = Claim(
    id="squared-magnitude-gradient",
    title="The gradient of the sum of |z|² is 2z",
    source="Kreutz-Delgado, The Complex Gradient Operator and the CR-Calculus, section 4.2",
    domain=_VECTOR,
    statement=Gradient(of=_length, wrt="z", equals=lambda z: 2 * z),
    routes=[numeric("by hand", _by_hand), autograd("magnitudes", lambda z: (z.abs() ** 2).sum())],
    mutants={
        "conjugated": lambda z: 2 * _conj(z),
        "Wirtinger's derivative in the conjugate": lambda z: z + 0,
        "the real part alone": lambda z: 2 * array_namespace(z).real(z) + 0j,
    },
)


squared_magnitude_conjugated = Claim(
    id="squared-magnitude-gradient-conjugated",
    title="The gradient of the sum of |z|² is twice the conjugate of z",
    source="what the derivative in z, of Wirtinger's calculus, suggests",
    domain=_VECTOR,
    statement=Gradient(of=_length, wrt="z", equals=lambda z: 2 * _conj(z)),
    expected="refuted",
    repaired="squared-magnitude-gradient",
)


complex_least_squares = Claim(
    id="complex-least-squares-gradient",
    title="The gradient of |Az - b|² in z is 2 A*(Az - b), with the adjoint A*",
    source="Kreutz-Delgado, The Complex Gradient Operator and the CR-Calculus, section 4.2",
    domain=_SYSTEM,
    statement=Gradient(
        of=lambda A, z, b: _length(A @ z - b),
        wrt="z",
        equals=lambda A, z, b: 2 * (_conj(A).T @ (A @ z - b)),
    ),
    mutants={
        "transposed, not conjugated": lambda A, z, b: 2 * (A.T @ (A @ z - b)),
        "the residual conjugated": lambda A, z, b: 2 * (A.T @ _conj(A @ z - b)),
        "the 2 forgotten": lambda A, z, b: _conj(A).T @ (A @ z - b),
    },
)


def _exponential(z: Any) -> Any:
    xp = array_namespace(z)
    return xp.sum(xp.real(xp.exp(z)))


exponential = Claim(
    id="complex-exponential-gradient",
    title="The gradient of the sum of Re exp(z) is the conjugate of exp(z)",
    source="Ahlfors, Complex Analysis, 3rd ed., sections 2.1.2 and 2.3.1",
    domain=_VECTOR,
    statement=Gradient(of=_exponential, wrt="z", equals=lambda z: _conj(array_namespace(z).exp(z))),
    mutants={"not conjugated": lambda z: array_namespace(z).exp(z)},
)
