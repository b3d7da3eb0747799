"""Which checks of behaviour a cell gets, on which few examples, in which order.

`before_values` comes before the values are judged on all examples: code that remembers its calls
has to be met while it has few to remember. `after_values` is for code whose values are right. Both
take a few examples and some hundred calls, so that judging values stays one call per example.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verimath.backends import Fetched
from verimath.behaviour import memory
from verimath.behaviour.lab import Bench, Fault
from verimath.behaviour.layouts import layouts
from verimath.behaviour.repeats import Pair, repeats, right_before, unsteady
from verimath.behaviour.script import script
from verimath.claim import AtMost, Claim, Converges, Derivative, Equal, Gradient
from verimath.examples import Batch, Example, batch_of
from verimath.judge import Judgement, judge, judge_bound
from verimath.pairs import joined
from verimath.reference.evaluate import wanted_by
from verimath.reference.prepared import Prepared
from verimath.reference.want import Want
from verimath.routes import Cell, Way
from verimath.shrink import shrink

_LARGEST = 60  # elements
_LARGEST_FORWARD = 16  # one call per element
_ORDINARY = 2.0**-6, 2.0**4  # the size of most numbers, for a share of more than
_MOST = 0.9
_SHRINKABLE = frozenset({"mutates_input", "mutates_cotangent", "aliases", "layout"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Examples of different kinds of shapes, and pairs that differ in their numbers alone."""

    examples: tuple[Example, ...]
    pairs: tuple[Pair, ...]


def applies_to(way: Way) -> bool:
    """Whether a way is code under test: neither a traced formula nor sympy's derivation."""
    return not way.standard and way.kind in ("numeric", "value", "reverse", "forward")


def choose(batches: Sequence[Batch], way: Way) -> Choice:
    """The most elements that are still few, no elements, no axes, and one element.

    At numbers of an ordinary size, if there are some: beyond, many functions are constant.
    """
    limit = _LARGEST_FORWARD if way.kind == "forward" else _LARGEST

    def size(batch: Batch) -> int:
        return sum(values.size // len(batch) for values in batch.inputs.values())

    def alike(batch: Batch) -> list[Example]:
        """The examples of its sizes."""
        same = (b for b in plain if (b.sizes, b.ranks) == (batch.sizes, batch.ranks))
        return [b.example(k) for b in same for k in range(len(b))]

    def telling(batch: Batch) -> tuple[bool, bool, int, int, int]:
        """Numbers that don't add up without rounding, different ones, and different sizes."""
        size_of = np.abs(np.concatenate([x.ravel() for x in batch.inputs.values()]))
        nonzero = size_of[size_of > 0]
        usual = np.sum((_ORDINARY[0] <= nonzero) & (nonzero <= _ORDINARY[1])) / max(nonzero.size, 1)
        rounds = any(np.any(values * 2**20 % 1) for values in batch.inputs.values())
        different = min(len(np.unique(values)) for values in batch.inputs.values())
        sizes = len(set(batch.sizes.values()))
        return bool(usual > _MOST), rounds, min(different, 6), sizes, size(batch)

    # The checks put the numbers one after the other, however they were laid out.
    plain = [b for b in batches if not (b.extreme or b.specials)] or batches
    few = [batch for batch in plain if size(batch) <= limit] or [min(plain, key=size)]
    full = [b for b in few if all(values.size for values in b.inputs.values())]
    twice = max((b for b in full if len(alike(b)) > 1), key=telling, default=None)
    kinds = [
        max(full, key=telling, default=None),
        next((b for b in few if b not in full), None),
        next((b for b in few if any(values.ndim == 1 for values in b.inputs.values())), None),
        max(full, key=lambda batch: (-size(batch), *telling(batch)), default=None),
        twice,
    ]
    chosen = dict.fromkeys(batch for batch in kinds if batch is not None)
    pair = [] if twice is None else alike(twice)[:2]
    return Choice(
        tuple(batch.example(0) for batch in chosen), ((pair[0], pair[1]),) if pair else ()
    )


class Behaviour:
    """The checks of behaviour of one cell of a claim; lives as long as its verdict is made."""

    def __init__(
        self,
        claim: Claim,
        cell: Cell,
        batches: Sequence[Batch],
        prepared: Callable[[Batch | Example], Prepared],
    ) -> None:
        self._claim, self._cell, self._prepared = claim, cell, prepared
        self._choice = choose(batches, cell.way)
        statement = claim.statement
        self._wrt = statement.wrt_names if isinstance(statement, Derivative) else ()
        self._wants: dict[Example, tuple[Want, ...]] = {}
        self._bench = self._bench_of(cell)

    @property
    def notes(self) -> str | None:
        """What is worth saying of code that has no fault."""
        return "; ".join(self._bench.notes) or None

    def before_values(self) -> Fault | None:
        """What calling again shows; nothing is said of code that is wrong whenever it is called."""
        bench, choice, way = self._bench, self._choice, self._cell.way
        for declared, what in ((way.stateful, "state"), (way.random is not None, "randomness")):
            if declared:
                bench.notes[f"it declares {what}, so repeated calls are not compared"] = None
        if bench.notes:
            return None
        try:
            examples = list(dict.fromkeys([*choice.examples, *chain(*choice.pairs)]))
            right, fault = unsteady(bench, examples)
            if not right:
                return fault
        except NotImplementedError:
            return None
        faults = chain(
            memory.inputs(bench, choice.examples),
            repeats(bench, choice.examples, choice.pairs),
        )
        fault = next(filter(None, faults), None)
        # Right in every call until now? All these calls are others, too.
        return fault or right_before(bench, examples, examples[0])

    def after_values(self) -> Fault | None:
        """What else the code does, where its values are right."""
        fault = next(filter(None, self._faults()), None)
        shrinkable = fault is not None and fault.defect in _SHRINKABLE and len(fault.examples) == 1
        return self._smaller(fault) if fault is not None and shrinkable else fault

    def inputs_of(self, example: Example) -> dict[str, NDArray[Any]]:
        """The inputs that the code is given at an example."""
        inputs = batch_of(example).cast(self._claim.domain, self._cell.dtype)
        return joined({name: np.asarray(values[0]) for name, values in inputs.items()})

    def script(self, fault: Fault, title: str) -> str:
        """A script that shows the fault again."""
        wants = [self._want(example) for example in fault.examples]
        return script(
            fault,
            title=title,
            cell=self._cell,
            wrt=self._wrt,
            inputs=[self.inputs_of(example) for example in fault.examples],
            wants=[[(w.value[0], w.envelope[0]) for w in want] for want in wants],
            pairs=self._prepared(fault.examples[0]).pairs(value=self._cell.way.kind == "value"),
        )

    def _bench_of(self, cell: Cell) -> Bench:
        return Bench(cell, self._wrt, self.inputs_of, self._judge)

    def _formula(self) -> Bench:
        """The claimed formula on the same backend."""
        match self._claim.statement:
            case Derivative() as statement:
                formula = statement.equals
            case Equal(right=formula) | AtMost(of=formula) | Converges(to=formula):
                pass
        way = Way("claimed", "formula", formula, ("numpy", "torch"), standard=True)
        return self._bench_of(replace(self._cell, way=way))

    def _faults(self) -> Iterator[Fault | None]:
        bench, choice = self._bench, self._choice
        yield from memory.inputs(bench, choice.examples)
        yield from memory.results(bench, self._formula(), choice.examples)
        yield from layouts(bench, self._claim.domain, choice.examples)
        # What is asked of a backward is asked where there is one: of a gradient.
        once = self._cell.way.kind == "value" or isinstance(self._claim.statement, Gradient)
        if self._cell.backend.library == "torch" and once:
            from verimath.behaviour.modes import modes

            for example in choice.examples:
                same = (example.sizes, example.ranks)
                pairs = [p for p in choice.pairs if (p[0].sizes, p[0].ranks) == same]
                yield from modes(bench, self._prepared(example), example, pairs)

    def _smaller(self, fault: Fault) -> Fault:
        """The same fault at the smallest example that has it."""

        def at(example: Example) -> Fault | None:
            return self._bench.look(fault.defect, fault.situation, fault.probe, example)

        def fails(example: Example) -> bool:
            return self._prepared(example).allows(example.sizes) and at(example) is not None

        (example,) = fault.examples
        smallest = shrink(example, fails, self._claim.domain, dtype=self._cell.dtype)
        return at(smallest) or fault

    def _judge(self, example: Example, results: tuple[Fetched, ...]) -> Judgement:
        statement, dtype = self._claim.statement, self._cell.dtype
        want = self._want(example)
        if isinstance(statement, AtMost):
            return judge_bound([results], want, bound=statement.bound, dtype=dtype, power=False)
        pairs = self._prepared(example).pairs(value=self._cell.way.kind == "value")
        return judge([results], want, dtype=dtype, power=False, pairs=pairs)

    def _want(self, example: Example) -> tuple[Want, ...]:
        if example not in self._wants:
            inputs = batch_of(example).cast(self._claim.domain, self._cell.dtype)
            exact = {name: np.asarray(x, dtype=np.float64) for name, x in inputs.items()}
            self._wants[example] = wanted_by(
                self._cell, self._prepared(example), exact, example.sizes
            )
        return self._wants[example]
