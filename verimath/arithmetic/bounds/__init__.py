"""The rounding error of each operation: the rules that `rounding` adds up.

A rule gets the node, the scale of its roundings, its operands, the sizes and the format, and
returns B. docs/bounds.md derives each.

literals     numbers that a formula names, and which of them scale exactly
elementwise  leaves, sums, products, quotients, powers
functions    elementary functions
choices      comparisons, masks, the largest, subgradients
sums         moves, sums of products, running and plain products
matrices     elimination, solutions, determinants, Cholesky factors
rearranged   what an envelope of rearranged formulas needs of a node
normwise     what the error class of that name does
table        which rule belongs to which operation
"""
