"""Claims: every malformed one is refused with its id and what was wanted."""

from types import MappingProxyType

import pytest

from verimath import AtMost, Claim, ClaimError, Domain, Equal, Gradient, autograd, numeric, reals


def total(x):
    return (x**2).sum()


GRADIENT = Gradient(of=total, wrt="x", equals=lambda x: 2 * x)
GOOD = {
    "id": "sum-of-squares",
    "title": "The gradient of the sum of squares is 2x",
    "source": "test",
    "domain": Domain(x=reals("n")),
    "statement": GRADIENT,
}


def test_a_well_formed_claim_is_frozen():
    routes = [numeric("by hand", total)]
    claim = Claim(**GOOD, routes=routes, mutants={"x": total}, assume=["x is real"])
    assert claim.routes == tuple(routes)
    assert claim.assume == ("x is real",)
    assert isinstance(claim.mutants, MappingProxyType)
    with pytest.raises(AttributeError):
        claim.id = "other"


def test_wrt_may_be_several_names():
    assert GRADIENT.wrt_names == ("x",)
    assert Gradient(of=total, wrt=["x", "y"], equals=total).wrt_names == ("x", "y")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "Sum_Of"}, "an id is lower-case words joined by hyphens"),
        ({"id": "a-"}, "an id is lower-case words"),
        ({"id": "a\n"}, "an id is lower-case words"),
        ({"id": 3}, "claim 3: an id is lower-case words"),
        ({"title": " "}, "the title is missing"),
        ({"title": None}, "the title is missing"),
        ({"source": ""}, "the source is missing"),
        ({"domain": "n d"}, r"domain='n d'; wanted Domain\(x=reals\(\"n d\"\)\)"),
        ({"statement": total}, "wanted Gradient, Jacobian, Hessian, Equal, AtMost or Converges"),
        ({"statement": Gradient(of=total, wrt="x", equals=2)}, "has to be a function"),
        ({"statement": Equal(left=total, right=None)}, "has to be a function"),
        ({"mutants": {"m": 1}}, "every formula and mutant has to be a function"),
        ({"mutants": [total]}, r"wanted \{name: function\}"),
        ({"statement": Gradient(of=total, wrt="y", equals=total)}, "wrt='y', but the inputs are x"),
        ({"statement": Gradient(of=total, wrt=(), equals=total)}, "but the inputs are x"),
        ({"statement": Gradient(of=total, wrt=0, equals=total)}, "wrt=0; wanted the name"),
        ({"statement": Gradient(of=total, wrt=("x", "x"), equals=total)}, "names an input twice"),
        ({"statement": AtMost(of=total, bound=-1)}, "bound=-1; wanted a finite number"),
        ({"statement": AtMost(of=total, bound=float("nan"))}, "bound=nan; wanted a finite"),
        ({"statement": AtMost(of=total, bound=float("inf"))}, "bound=inf; wanted a finite"),
        ({"statement": AtMost(of=total, bound="1")}, "bound='1'; wanted a finite number"),
        ({"routes": [total]}, "routes is a list of what numeric"),
        ({"routes": numeric("a", total)}, "routes is a list of what numeric"),
        ({"routes": [numeric("a", total), numeric("a", total)]}, "two routes have the same name"),
        (
            {"statement": Equal(left=total, right=total), "routes": [autograd("a", total)]},
            "an autograd route needs a Gradient, Jacobian or Hessian",
        ),
        ({"expected": "fails"}, "expected='fails'; wanted 'holds' or 'refuted'"),
        ({"repaired": "other"}, "repaired= belongs to a claim with expected='refuted'"),
        ({"assume": "x is real"}, "wanted a list of hypotheses in words"),
        ({"assume": [1]}, "wanted a list of hypotheses in words"),
    ],
)
def test_a_malformed_claim_is_refused(changes, message):
    with pytest.raises(ClaimError, match=message) as caught:
        Claim(**{**GOOD, **changes})
    assert str(caught.value).startswith(f"claim {changes.get('id', GOOD['id'])!r}: ")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: numeric("", total), "a route's name is a non-empty string, not ''"),
        (lambda: numeric(3, total), "a route's name is a non-empty string, not 3"),
        (lambda: numeric("a", 3), "route 'a': 3 can't be called; wanted a function"),
        (lambda: autograd("a", None), "route 'a': None can't be called"),
        (lambda: numeric("a", total, library="jax"), "library='jax'; wanted 'numpy' or 'torch'"),
    ],
)
def test_a_malformed_route_is_refused(make, message):
    with pytest.raises(ClaimError, match=message):
        make()
