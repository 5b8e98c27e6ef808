"""Preflight and smoke runs: hops and visits judged together, and what is new since the last run."""
