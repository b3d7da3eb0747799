"""False alarms, tightness and power on the ten cases, beside the feasibility study (B.1).

    python benchmarks/tightness.py [--examples N] [--full] [--case NAME]

Per case, dtype and library, over all its implementations: elements judged, false alarms (`wrong`),
results that are less accurate, elements left open, the worst error/bound, the median bound in units
of u |value| beside 3 times the study's, the median detection floor, and the share of elements in
which a change is seen: by 1e-12 of it (float64) beyond the bound, and as wrong; by twice its floor
as wrong. `--full` judges more than 40 million elements.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from cases import CASES, Case, inputs_of

from verimath.backends import get_backend
from verimath.dtypes import DTYPES, roundoff
from verimath.reference.evaluate import wanted
from verimath.reference.prepare import prepare
from verimath.reference.want import Want

BATCH = 4096  # examples judged at once
CHANGE = 1e-12


@dataclass
class Tally:
    """What adds up over the implementations of one case in one dtype of one library."""

    elements: int = 0
    wrong: int = 0
    less: int = 0
    unvouched: int = 0  # beyond a bound whose envelope is infinite
    open: int = 0  # no finite bound
    worst: float = 0.0
    changes: int = 0
    seen: int = 0
    called_wrong: int = 0
    floored: int = 0
    above_floor: int = 0
    bounds: list[np.ndarray] = field(default_factory=list)
    floors: list[np.ndarray] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    less_by: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, got: np.ndarray, want: Want, inputs: dict, dtype: str) -> None:
        """Judge one implementation's results as `verimath.judge` does, element by element."""
        got = np.asarray(got, dtype=np.float64)
        if got.shape != want.value.shape:
            raise ValueError(f"{name}: shape {got.shape}; wanted {want.value.shape}")
        with np.errstate(all="ignore"):
            finite = np.isfinite(want.allowed) & np.isfinite(want.value)
            off = np.where(np.isfinite(got), np.abs(got - want.value), np.inf)
            beyond = finite & (off > want.allowed)
            self.elements += int(finite.sum())
            self.open += int((~finite).sum())
            ratio = np.where(off == 0, 0.0, off / np.maximum(want.allowed, 5e-324))
            self.worst = max(self.worst, float(np.max(ratio, initial=0.0, where=finite)))
            if beyond.any():
                self._beyond(name, off, beyond, want, inputs, dtype)
            sound = finite & ~beyond & (want.value != 0) & (got != 0)
            self._changes(got, want, sound, dtype)

    def _beyond(
        self, name: str, off: np.ndarray, beyond: np.ndarray, want: Want, inputs: dict, dtype: str
    ) -> None:
        # Where only an overflow on the way makes the envelope infinite, `unlimited` decides.
        unvouched = beyond & np.isinf(want.envelope)
        wrong = beyond & ~(off <= want.envelope)
        self.wrong += int(wrong.sum())
        self.unvouched += int(unvouched.sum())
        self.less += int((beyond & ~wrong & ~unvouched).sum())
        self.less_by[name] = self.less_by.get(name, 0) + int(beyond.sum())
        for at in np.argwhere(wrong)[: max(0, 3 - len(self.alarms))]:
            example, place = int(at[0]), tuple(at)
            shown = {key: values[example].tolist() for key, values in inputs.items()}
            self.alarms.append(
                f"{name} {dtype} at {place[1:]}: off {off[place]!r}, allowed "
                f"{want.allowed[place]!r}, envelope {want.envelope[place]!r}, "
                f"want {want.value[place]!r}, inputs {shown}"
            )

    def _changes(self, got: np.ndarray, want: Want, sound: np.ndarray, dtype: str) -> None:
        """Change every element by itself, which is judged by itself, too."""
        floor = want.floor
        if dtype == "float64":
            off = np.abs(got * (1 + CHANGE) - want.value)
            self.changes += int(sound.sum())
            self.seen += int((sound & (off > want.allowed)).sum())
            self.called_wrong += int((sound & (off > want.envelope)).sum())
        sure = sound & np.isfinite(floor)
        # Relative to what is wanted, as the floor is; not rounded to the dtype.
        off = np.abs(got + 2 * floor * np.abs(want.value) * np.sign(got) - want.value)
        self.floored += int(sure.sum())
        self.above_floor += int((sure & (off > want.envelope)).sum())
        vouched = np.isfinite(want.allowed) & (want.value != 0)
        # The same bounds serve all implementations: a sample is as good.
        chosen = vouched.reshape(-1)[::16]
        size = np.abs(want.value.reshape(-1)[::16][chosen])
        # As in the study, without the error of the reference, which `allowed` has room for, too.
        bound = (want.allowed - want.error).reshape(-1)[::16][chosen]
        self.bounds.append(bound / (size * roundoff(dtype)))
        self.floors.append(floor.reshape(-1)[::16][chosen])


def on(library: str, code, inputs: dict[str, np.ndarray], dtype: str) -> np.ndarray:
    """An implementation's results on a batch, as float64 numbers."""
    if library == "numpy":
        with np.errstate(all="ignore"):
            found = code(*inputs.values())
        if found.dtype != dtype:
            raise TypeError(f"{found.dtype} came back; wanted {dtype}")
        return found.astype(np.float64)
    tensors = [torch.from_numpy(x.copy()).to(getattr(torch, dtype)) for x in inputs.values()]
    found = code(*tensors)
    if found.dtype != tensors[0].dtype:
        raise TypeError(f"{found.dtype} came back; wanted {dtype}")
    return found.detach().double().numpy()


def measured(case: Case, library: str, dtype: str, examples: int, seed: int) -> Tally:
    """Judge every implementation of a case in one dtype of one library on so many examples."""
    prepared = prepare(case.claim, {})
    format_ = get_backend("numpy" if library == "numpy" else "torch-cpu").format(dtype)
    codes = case.numpy if library == "numpy" else case.torch
    tally = Tally()
    for number, start in enumerate(range(0, examples, BATCH)):
        count = min(BATCH, examples - start)
        inputs = inputs_of(case, dtype, count, seed=seed + number)
        exact = {name: values.astype(np.float64) for name, values in inputs.items()}
        (want,) = wanted(prepared, exact, case.sizes, format_)
        for name, code in codes.items():
            tally.add(name, on(library, code, inputs, dtype), want, inputs, dtype)
    return tally


def combinations(case: Case) -> Iterator[tuple[str, str]]:
    for dtype in DTYPES if case.halves else DTYPES[:2]:
        for library in ("numpy", "torch"):
            if (dtype, library) != ("bfloat16", "numpy"):
                yield dtype, library


def bar_of(case: Case, library: str, dtype: str) -> float | None:
    """Three times the study's median; it has none for sums kept in 16 bits."""
    wide, halves = case.study
    if dtype in ("float64", "float32"):
        return 3 * wide
    return None if library == "numpy" or halves is None else 3 * halves


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=512, help="per case, dtype and library")
    parser.add_argument("--full", action="store_true", help="more than 40 million elements")
    parser.add_argument("--case", default="", help="only cases whose name has this in it")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    examples = 8192 if options.full else options.examples
    print(f"python benchmarks/tightness.py {' '.join(sys.argv[1:])}".rstrip())
    print(
        f"{'case':32}{'dtype':>9}{'':>6}{'elements':>10}{'wrong':>6}{'less':>7}{'open':>7}"
        f"{'worst':>7}{'median B':>10}{'bar':>7}{'floor':>9}"
        f"{'1e-12':>7}{'wrong':>7}{'2floor':>7}"
    )
    total, alarms, notes, start = 0, 0, [], time.perf_counter()
    for case in CASES:
        if options.case not in case.name:
            continue
        for dtype, library in combinations(case):
            tally = measured(case, library, dtype, examples, options.seed)
            total, alarms = total + tally.elements, alarms + tally.wrong
            bar = bar_of(case, library, dtype)
            width = float(np.median(np.concatenate(tally.bounds)))
            floor = float(np.median(np.concatenate(tally.floors)))
            print(
                f"{case.name:32}{dtype:>9}{library:>6}{tally.elements:10}{tally.wrong:6}"
                f"{tally.less + tally.unvouched:7}{tally.open:7}{tally.worst:7.3f}{width:10.1f}"
                f"{'-' if bar is None else f'{bar:.1f}':>7}{floor:9.1e}"
                f"{percent(tally.seen, tally.changes):>7}"
                f"{percent(tally.called_wrong, tally.changes):>7}"
                f"{percent(tally.above_floor, tally.floored):>7}"
                f"{'' if bar is None or width <= bar else '  wider than 3x'}",
                flush=True,
            )
            notes += [f"{case.name}: {alarm}" for alarm in tally.alarms]
            if tally.less_by:
                notes.append(f"{case.name} {dtype} {library} beyond the bound: {tally.less_by}")
    print(f"{total} elements, {alarms} false alarms, {time.perf_counter() - start:.0f} s")
    print("\n".join(notes))


if __name__ == "__main__":
    main()
