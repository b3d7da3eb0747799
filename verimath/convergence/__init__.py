"""Iterations that converge: what `Converges` states, how it is decided, and how it is run.

functions    what it asks for, as functions of a claim's inputs; a step repeated
iteration    the same, traced: the formulas of one iteration
reach        how near to its limit the iterates get in floating point, and by when
contraction  whether enclosures show that some part of the statement fails
running      the steps that a route takes, and what shows that it fails

They stand on different floors of the house (pyproject.toml, "One direction of flow"): `functions`
knows neither formulas nor arithmetic, `running` whatever a verdict needs.
"""
