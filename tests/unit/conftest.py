"""How Hypothesis runs here: the same examples every time, so that a run on another machine says the same."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", derandomize=True, database=None, deadline=None, max_examples=25)
settings.load_profile("unit")
