"""Preflight and smoke runs: the common verdict of hops and visits, and the changes since the last run."""
