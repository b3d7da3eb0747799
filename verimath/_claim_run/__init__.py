"""One claim on its way through the house, from its examples to its record.

run       the order of things: `ClaimRun` lives as long as the run of one claim
mutants   which known-wrong siblings the examples tell from the claim
proofs    what is known beyond the examples
failing   from a failure to its smallest example
written   verdicts and counterexamples as the record has them
judging   one cell judged on one batch
tally     what adds up over batches

Each knows those below it alone; `verimath._engine` is the way in.
"""
