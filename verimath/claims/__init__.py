"""The catalogue that comes with verimath: a chapter a module, written with the public names alone.

Importing a chapter imports neither torch nor sympy; routes that need torch import it when they run.
"""

# What `verimath verify` checks when nothing is named: the claims of the lecture, in its order.
LECTURE = ("linear_systems", "autograd", "regression", "networks")
# What comes from elsewhere; `verimath verify --all` checks it, too.
FURTHER = (
    "calculus",
    "losses",
    "layers",
    "matrices",
    "iterations",
    "convergence",
    "algebra",
    "depths",
    "complex_numbers",
)
CHAPTERS = LECTURE + FURTHER
