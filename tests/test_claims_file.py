"""Claims files: no claim is lost in silence, and no file is refused that loses none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verimath.claims_file import load_file
from verimath.errors import ClaimError

HEAD = """
import dataclasses
import verimath as vm
from verimath import Claim, Domain, Equal, reals

def claim(id):
    return Claim(id=id, title="t", source="s", domain=Domain(x=reals("n")),
                 statement=Equal(left=lambda x: x + x, right=lambda x: 2 * x))

REST = dict(title="t", source="s", domain=Domain(x=reals("n")),
            statement=Equal(left=lambda x: x + x, right=lambda x: 2 * x))
"""
FIRST = HEAD.count("\n") + 1

LOST = {
    "made twice": ('a = Claim(id="a", **REST)\na = Claim(id="b", **REST)', "'a'", 0, 1),
    "made by the module": (
        'a = vm.Claim(id="a", **REST)\n\na = vm.Claim(id="b", **REST)',
        "'a'",
        0,
        2,
    ),
    "annotated": ('a: Claim = Claim(id="a", **REST)\na = Claim(id="b", **REST)', "'a'", 0, 1),
    "the same id": ('a = Claim(id="a", **REST)\na = Claim(id="a", **REST)', "'a'", 0, 1),
    "by a function of the file": ('a = claim("a")\nx = 1\na = claim("b")', "the claim of", 0, 2),
    "an id that is computed": (
        'a = Claim(id="a" + "b", **REST)\na = Claim(id="b", **REST)',
        "the claim of",
        0,
        1,
    ),
    "a list": (
        'a = [Claim(id="a", **REST)]\na = [Claim(id="b", **REST), claim("c")]',
        "'a'",
        0,
        1,
    ),
    "to something else": ('a = Claim(id="a", **REST)\na = 1\nb = claim("b")', "'a'", 0, 1),
    "in the turns of a loop": (
        'for k in range(3):\n    a = Claim(id=f"a-{k}", **REST)',
        "the claim of",
        1,
        1,
    ),
    "in a block": (
        'import contextlib\nwith contextlib.nullcontext():\n    a = claim("a")\n    a = claim("b")',
        "the claim of",
        2,
        3,
    ),
}

KEPT = {
    "in a list by then": 'a = claim("a")\nall_ = [a]\na = claim("b")\nall_.append(a)',
    "by another name": 'a = Claim(id="a", **REST)\nb = a\na = Claim(id="b", **REST)',
    "by a function that has seen it": 'a = claim("a")\nb = dataclasses.replace(a)\na = claim("b")',
    "as part of the next": 'a = [claim("a")]\na = a + [claim("b")]',
    "made again from itself": 'a = Claim(id="a", **REST)\na = dataclasses.replace(a, title="u")',
    "what only looked like one": 'a = dict(id="a")\na = claim("b")',
    "what is no claim": "x = dict(id=1)\nx = dict(id=2)\na = claim('b')",
    "one of two branches": 'if REST:\n    a = claim("a")\nelse:\n    a = claim("b")',
    "what is private": '_a = claim("a")\n_a = claim("b")\nb = _a',
    "in a list that grows": 'a = []\nfor k in range(3):\n    b = claim(f"a-{k}")\n    a.append(b)',
    "in several names": 'a, b = claim("a"), claim("b")',
}


def written(folder: Path, text: str) -> Path:
    path = folder / "claims.py"
    path.write_text(HEAD + text + "\n")
    return path


@pytest.mark.parametrize("name", LOST)
def test_a_claim_whose_name_is_bound_again_is_noticed(tmp_path, name):
    text, which, first, later = LOST[name]
    path = written(tmp_path, text)
    with pytest.raises(ClaimError) as caught:
        load_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{FIRST + later}: `a` is bound again")
    assert which in message
    assert f"of line {FIRST + first} is lost" in message


@pytest.mark.parametrize("name", KEPT)
def test_a_file_that_loses_nothing_is_read(tmp_path, name):
    assert load_file(written(tmp_path, KEPT[name]))


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6))
def test_as_many_claims_as_are_written_or_a_word(tmp_path_factory, names):
    text = "\n".join(f'{name} = Claim(id="c-{k}", **REST)' for k, name in enumerate(names))
    path = written(tmp_path_factory.mktemp("claims"), text)
    if len(set(names)) == len(names):
        assert [claim.id for claim in load_file(path)] == [f"c-{k}" for k in range(len(names))]
    else:
        with pytest.raises(ClaimError, match="is bound again"):
            load_file(path)


def test_nothing_is_run_twice(tmp_path):
    runs = tmp_path / "runs.txt"
    text = f'import pathlib\npathlib.Path({str(runs)!r}).open("x").close()\na = claim("a")'
    load_file(written(tmp_path, text))  # "x" fails where the file is there
    assert runs.exists()
