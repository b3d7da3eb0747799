"""How code under test behaves, beside what it computes: the faults that values alone don't show.

`lab` calls and compares; `repeats`, `memory`, `layouts` and `modes` each look for one family of
faults; `checks` puts them in order for a cell. A check is a probe: a plain function that sees the
code under test only, runs here, and runs again, copied as it stands, in the script of the
counterexample (`script`).

The formulas of a claim are not checked: they were traced, so they are pure, and what torch's own
engine does with them is not the code under test.
"""
