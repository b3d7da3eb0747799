"""Formulas: array-API functions traced into a graph of operations with symbolic dimensions.

graph          nodes and formulas (frozen)
literals       the real constants that floating-point literals stand for
operations     constructors: each checks shapes and makes one node
dimension, refusing, source, traced, indexing, complex_array, complex_parts, namespace, trace
               the array that records what is done to it, from its sizes up to whole functions
slopes, forward, reverse    rules of both modes of differentiation
derive, batching, jacobian  derivations with named steps; Jacobians and Hessians
mutate         wrong siblings
core, signs    the same formula in few operations, for exact arithmetic and proofs
latex          formulas and steps as a person would write them
"""
