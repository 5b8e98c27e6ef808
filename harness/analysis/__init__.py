"""Timeline in, values out: pure functions, no I/O, no clock."""
