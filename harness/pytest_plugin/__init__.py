"""The pytest plugin: fixtures, expectations, built-in checks, and what the controller does for a run."""
