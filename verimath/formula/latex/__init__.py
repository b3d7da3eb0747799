"""Formulas and steps in TeX, as a person would write them.

Scalars multiply by juxtaposition, arrays elementwise with a circled dot, einsums as matrix products
with transposes, sums as `sum`, averages as `mean`; an array of one axis is a column. Functions of
arrays are elementwise, and so are powers: those of matrices have a circled dot too. One number
repeated over a shape is printed as the number, a vector of ones as a bold one. Named variables are
printed by name, so a step reads in the formula's own words.

statements   whole formulas, statements and steps
nodes        any node, by what it does
einsums, products, calls    what takes more than a line of that
factors      products taken apart
symbols      names, sizes and numbers
pieces       pieces of TeX, and how tightly each holds together
"""
