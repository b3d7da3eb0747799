"""Number systems in which a formula graph is evaluated, one file or package each.

values      float64 values, one rule an operation
bounds      the rounding error of each operation, one rule an operation
rounding    both together: values with a bound for every dtype
formats     dtypes, and what is assumed of the libraries
symbolic    sympy expressions at explicit shapes, exact
"""
