"""Filling the arrays of a plan: a pure function of plan and domain, vectorised over the batch.

Elements drawn one by one would be slow and would fill most of an array with one value; here a
seeded generator draws whole arrays. What it draws are free numbers: `Input.cast` makes them members
of the domain, in each dtype.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from verimath.domain import Domain, Input
from verimath.plans import Plan
from verimath.shapes import Binding
from verimath.structure import STRUCTURES

Values = NDArray[np.float64]

# Near overflow and underflow of each dtype, and of squares in it, and where squares are beyond.
EDGES = np.array(
    [
        *(1021, 700, 510, -511, -700, -1060),  # float64
        *(125, 90, 62, -62, -90, -140),  # float32, bfloat16
        *(14, 11, 7, -7, -14, -20),  # float16
    ]
)
_NEAR = 2.0**-20  # so near to singular
# Numbers near which code turns: mostly 0 and 1, the small ones, and what thresholds are.
_CENTRES = np.array([0.0] * 6 + [1.0] * 4 + [0.5, 2, 3, 4, 5, 6, 8, 10, 16, 20, 30, 40])
_SECOND = 2  # the example of which the first element differs
_LANES = 8  # elements that a loop takes at a time
_DEEPEST = 53  # binary places from such a number to one near it
_TINY = np.array([7, 11, 14, 20, 30, 40, 66, 100, 332])  # 2^-66 is 1e-20, 2^-332 is 1e-100
# Where exponentials overflow and vanish: in float16 beyond 11, in float32 88, in float64 709.
_STEEP = np.array([2.0**11, 2.0**8, 2.0**6, 2.0**13])
# Of half precision, down to where numbers vanish; other kinds have the larger ones.
_BINADES = np.arange(-25, 7)
# The square of an offset has no digit left for differences of about one, in one dtype or another.
_OFFSETS = np.array([2.0**20, 2.0**10, 2.0**5, 2.0**26])


def fill_values(plan: Plan, domain: Domain) -> dict[str, Values]:
    """Free numbers by input name, of shape (count, *shape)."""
    generator = np.random.Generator(np.random.PCG64(plan.seed))
    sizes, ranks = dict(plan.sizes), dict(plan.ranks)
    found: dict[str, Values] = {}
    for name, axes in domain.expand(ranks).items():
        spec = domain.inputs[name]
        shape = (plan.count, *(axis.at(sizes) for axis in axes))
        if spec.values is not None:
            values = np.broadcast_to(spec.values, shape).copy()
        else:
            values = np.asarray(_drawn(generator, spec, shape, plan, sizes), dtype=np.float64)
            values = _formed(generator, spec, values, plan)
            if plan.form == "repeated" and spec.is_free:
                values = _like_others(generator, spec, values, found)
        values.flags.writeable = False
        found[name] = values
    return found


def _drawn(
    generator: np.random.Generator,
    spec: Input,
    shape: tuple[int, ...],
    plan: Plan,
    sizes: Binding,
) -> Values:
    if spec.kind == "boolean" or spec.structure == "binary":
        share = {"sparse": 0.1, "ties": 0.9}.get(plan.kind, 0.5)
        return (generator.random(shape) < share).astype(np.float64)
    if spec.classes is not None:
        return _labels(generator, spec.classes.at(sizes), spec.ignore_index is not None, shape)
    low, high = spec.min_value, spec.max_value
    if low is not None and high is not None:
        return _between(generator, spec, low, high, shape, plan)
    drawn = _unbounded(generator, shape, plan)
    if low is not None:
        moved = low + np.abs(drawn)
        return np.where(moved == low, low + 1, moved) if spec.exclude_min else moved
    if high is not None:
        moved = high - np.abs(drawn)
        return np.where(moved == high, high - 1, moved) if spec.exclude_max else moved
    return drawn


def _labels(
    generator: np.random.Generator, classes: int, ignored: bool, shape: tuple[int, ...]
) -> Values:
    drawn = generator.integers(0, max(classes, 1), shape).astype(np.float64)
    if not ignored:
        return drawn
    return np.where(generator.random(shape) < 0.25, -1.0, drawn)


def _between(
    generator: np.random.Generator,
    spec: Input,
    low: float,
    high: float,
    shape: tuple[int, ...],
    plan: Plan,
) -> Values:
    """Numbers of a closed range, the ends and the middle among them."""
    if plan.kind in ("scaled", "extreme", "tens", "tiny", "binades") and low < 0 < high:
        return np.clip(_unbounded(generator, shape, plan), low, high)
    found = _mixed(low, high, _shares(generator, shape, plan))
    if plan.kind == "near":
        inside = _near(generator, shape, 1.0)
        among = (generator.random(shape) < 0.5) & (low <= inside) & (inside <= high)
        found = np.where(among, inside, found)
    if spec.kind == "integer" or plan.kind == "integers":
        found = np.clip(np.rint(found), low, high)
    middle = low / 2 + high / 2
    if spec.exclude_min:
        found = np.where(found <= low, middle, found)
    return np.where(found >= high, middle, found) if spec.exclude_max else found


def _mixed(low: float, high: float, share: Values) -> Values:
    return np.clip(low * (1 - share) + high * share, low, high)


def _shares(generator: np.random.Generator, shape: tuple[int, ...], plan: Plan) -> Values:
    """Where between the ends: 0 is the lower, 1 the upper end."""
    match plan.kind:
        case "eighths":
            return generator.integers(0, 9, shape) / 8
        case "ties":
            return generator.choice(generator.integers(0, 9, 3) / 8, shape)
        case "sparse":
            return generator.integers(0, 3, shape) / 2
        case "offset":
            base = (5 + plan.seed % 3) / 8
            return base + generator.uniform(-1 / 8, 1 / 8, shape) / _offsets(shape)
        case "tiny":
            return np.ldexp(generator.random(shape), -generator.choice(_TINY, shape))
        case "binades":
            small = generator.permutation(_BINADES[_BINADES < 0])
            near = np.ldexp(generator.uniform(1, 2, shape), np.resize(small, shape))
            # From the lower end all of them, then from the upper one.
            upper = np.arange(near.size).reshape(shape) // len(small) % 2 == 1
            return np.where(upper, 1 - near, near)
        case "scaled" | "extreme" | "near":
            deepest = {"scaled": 30, "near": _DEEPEST}.get(plan.kind, 1080)
            near = np.ldexp(generator.random(shape), -generator.integers(0, deepest, shape))
            return np.where(generator.random(shape) < 0.5, near, 1 - near)
        case _:
            ends = generator.integers(0, 3, shape) / 2
            return np.where(generator.random(shape) < 0.1, ends, generator.random(shape))


def _unbounded(generator: np.random.Generator, shape: tuple[int, ...], plan: Plan) -> Values:
    return _UNBOUNDED[plan.kind](generator, shape, 2.0**plan.scale)


def _ties(generator: np.random.Generator, shape: tuple[int, ...], unit: float) -> Values:
    return generator.integers(-3, 4, 3).astype(np.float64)[generator.integers(0, 3, shape)]


def _extreme(generator: np.random.Generator, shape: tuple[int, ...], unit: float) -> Values:
    """Every example at another edge of a dtype's range, as long as there are others."""
    edges = np.resize(generator.permutation(EDGES), shape[0])
    return np.ldexp(generator.uniform(-4, 4, shape), edges.reshape(-1, *[1] * (len(shape) - 1)))


def _near(generator: np.random.Generator, shape: tuple[int, ...], unit: float) -> Values:
    centres = generator.choice(_CENTRES, shape) * generator.choice([-1.0, 1.0], shape)
    off = np.ldexp(1.0, -generator.integers(1, _DEEPEST, shape))
    return centres + off * generator.choice([-1.0, 1.0], shape)


def _tiny(generator: np.random.Generator, shape: tuple[int, ...], unit: float) -> Values:
    """Rows of ordinary numbers, each row times a tiny one of its own."""
    rows = (*shape[:-1], 1) if len(shape) > 1 else shape
    return np.ldexp(generator.standard_normal(shape), -generator.choice(_TINY, rows))


def _steep(generator: np.random.Generator, shape: tuple[int, ...], unit: float) -> Values:
    """Every example to another size at which exponentials overflow or vanish."""
    sizes = np.resize(_STEEP, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return generator.uniform(-1, 1, shape) * sizes


def _binades(generator: np.random.Generator, shape: tuple[int, ...], unit: float) -> Values:
    sizes = np.ldexp(
        generator.uniform(1, 2, shape), np.resize(generator.permutation(_BINADES), shape)
    )
    return sizes * generator.choice([-1.0, 1.0], shape)


def _offset(generator: np.random.Generator, shape: tuple[int, ...], unit: float) -> Values:
    """Ordinary numbers about one large number, the same one in every input of an example."""
    return _offsets(shape) + generator.uniform(-4, 4, shape)


def _offsets(shape: tuple[int, ...]) -> Values:
    return np.resize(_OFFSETS, shape[0]).reshape(-1, *[1] * (len(shape) - 1))


_UNBOUNDED: Mapping[str, Callable[[np.random.Generator, tuple[int, ...], float], Values]] = {
    "integers": lambda g, shape, unit: g.integers(-9, 10, shape).astype(np.float64),
    "eighths": lambda g, shape, unit: g.integers(-64, 65, shape) / 8,
    "uniform": lambda g, shape, unit: (2 * g.random(shape) - 1) * unit,
    "normal": lambda g, shape, unit: g.standard_normal(shape) * unit,
    # Magnitudes over twenty binary orders inside one array.
    "scaled": lambda g, shape, unit: np.ldexp(g.standard_normal(shape), g.integers(-10, 11, shape)),
    "ties": _ties,
    "sparse": lambda g, shape, unit: (
        g.integers(-5, 6, shape) * (g.integers(0, 8, shape, dtype=np.uint8) < 3)
    ).astype(np.float64),
    "extreme": _extreme,
    "near": _near,
    "tens": lambda g, shape, unit: g.uniform(-40, 40, shape),
    "steep": _steep,
    "tiny": _tiny,
    "offset": _offset,
    "binades": _binades,
}


def _formed(generator: np.random.Generator, spec: Input, values: Values, plan: Plan) -> Values:
    """The values with equal rows, or degenerate, where the plan says so."""
    axes = STRUCTURES[spec.structure].axes if spec.structure is not None else 0
    if plan.form == "alike":
        return _alike(values)
    if values.ndim < 2 or not values.size or spec.distinct:
        return values
    if plan.form == "degenerate":
        values = _degenerate(spec, values, axes)
    if plan.form == "cancelling" and spec.is_free and spec.min_value is spec.max_value is None:
        flat = values.reshape(len(values), -1).copy()
        with np.errstate(over="ignore"):
            total = flat[:, :-1].sum(axis=1)
        flat[:, -1] = np.where(np.isfinite(total), -total, flat[:, -1])
        values = flat.reshape(values.shape)
    if axes == 2:
        return values  # rows of free numbers are no rows of the matrix
    if plan.form == "tail" and spec.is_free:
        values = _with_tail(spec, values)
    rows = values.shape[1]
    if plan.form == "repeated":
        values = values[:, generator.integers(0, (rows + 1) // 2, rows)]
    if plan.layout == "expanded":
        values = np.repeat(values[:, :1], rows, axis=1)
    return values


def _alike(values: Values) -> Values:
    """The first example's values in all, but for one element: the last, the first, the next ..."""
    count, flat = len(values), values.reshape(len(values), -1)
    size = flat.shape[1]
    found = np.repeat(flat[:1], count, axis=0)
    if size > 1:
        others = np.arange(1, count)
        places = (others - _SECOND) % size
        found[others, places] = flat[others, places]
    return found.reshape(values.shape)


def _like_others(
    generator: np.random.Generator, spec: Input, values: Values, found: Mapping[str, Values]
) -> Values:
    """Half of the elements those of an earlier input of this shape: two inputs that tie."""
    low, high = spec.limits("float64")
    for other in found.values():
        if other.shape == values.shape:
            same = generator.random(values.shape) < 0.5
            return np.where(same & (low <= other) & (other <= high), other, values)
    return values


def _with_tail(spec: Input, values: Values) -> Values:
    """What a loop over eights leaves over of an axis the largest, in every other example least.

    In a closed range it comes next to one end.
    """
    low, high = spec.min_value, spec.max_value
    values = values.copy()
    above = np.where(np.arange(len(values)) % 2 == 0, 1.0, -1.0)
    above = above.reshape(-1, *[1] * (values.ndim - 1))
    for axis in range(1, values.ndim):
        if values.shape[axis] <= _LANES:
            continue
        tail = np.swapaxes(values, 1, axis)[:, -(values.shape[axis] % _LANES or _LANES) :]
        if low is not None and high is not None:
            tail[:] = _mixed(low, high, 0.5 + above * (0.5 - np.abs(np.sin(tail)) / 32))
        elif low is not None:
            tail[:] = low + 8 * np.abs(tail - low) + 1
        elif high is not None:
            tail[:] = high - 8 * np.abs(high - tail) - 1
        else:
            tail[:] = above * (8 * np.abs(tail) + 1)
    return np.rint(values) if spec.kind == "integer" else values


def _degenerate(spec: Input, values: Values, axes: int) -> Values:
    values = values.copy()
    if axes == 1:
        top = np.abs(values).max(axis=-1, keepdims=True)
        values = np.where(np.abs(values) == top, 1.0, 0.0)
    elif spec.classes is not None or spec.structure in ("binary", "signs") or values.ndim == 2:
        values[:] = (
            values.reshape(len(values), -1).max(axis=1).reshape(-1, *[1] * (values.ndim - 1))
        )
    elif axes == 2:
        diagonal = np.arange(values.shape[-1])
        values[..., diagonal, diagonal] *= _NEAR
    elif spec.is_free and values.shape[-2] > 1:
        # One row is another (singular), in every second example but almost (near to singular).
        values[..., -1, :] = values[..., 0, :]
        if spec.kind == "real":
            top = np.abs(values[1::2, ..., -1, :]).max(axis=-1)
            values[1::2, ..., -1, 0] -= _NEAR * np.copysign(top, values[1::2, ..., -1, 0])
    return values
