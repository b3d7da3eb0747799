"""What can be said of a claim beyond examples: the proof ladder, one rung a module."""
