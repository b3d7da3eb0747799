"""The catalogue that comes with verimath: a chapter a module, written with the public names alone.

Importing a chapter imports neither torch nor sympy; routes that need torch import it when they run.
"""

CHAPTERS = ("linear_systems", "autograd", "regression", "networks")
