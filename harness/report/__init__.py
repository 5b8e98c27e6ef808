"""Reports: pure functions from values to text, and the modules that write files."""
