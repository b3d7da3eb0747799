"""Formulas: array-API functions traced into a graph of operations with symbolic dimensions.

graph        nodes and formulas (frozen)
literals     the real constants that floating-point literals stand for
operations   constructors: each checks shapes and makes one node
trace        the array that records what is done to it
derive       reverse- and forward-mode rules, and derivations with named steps
latex        formulas and steps as a person would write them
"""
