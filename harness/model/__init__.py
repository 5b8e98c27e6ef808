"""Plain values: events, results, formats. Standard library and codec only."""
