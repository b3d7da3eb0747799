"""The reference: what a claim wants, derived from its formulas alone, and how far off code may be.

prepare    from a claim to graphs: traced, derived, with shapes that agree
prepared   the record of that: what is wanted, and of which sizes the claim speaks
want       the record of what is wanted on a batch: values, what is allowed, what lies around
evaluate   from the one to the other, for a way on a backend in a dtype
overflow   where numbers on the way may be infinite

Every route is judged against it and shares no code with it (an import contract).
"""
