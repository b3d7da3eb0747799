"""Number systems in which a formula graph is evaluated, one file each.

rounding    float64 values, with a bound on the rounding error of every dtype
symbolic    sympy expressions at explicit shapes, exact
"""
