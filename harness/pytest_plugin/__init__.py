"""The pytest plugin: options, fixtures, expectations, built-in checks, and the controller of a run."""
