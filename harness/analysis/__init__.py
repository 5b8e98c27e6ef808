"""Pure functions from timelines to values, without I/O and without a clock."""
