"""Rechecking certificates, with no code of the prover's but the data model.

Written from docs/certificates.md and docs/proofs.md alone, so that a mistake in the prover and the
same mistake here would be a coincidence.
"""
