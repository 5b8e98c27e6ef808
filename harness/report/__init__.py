"""Values in, text out; one module writes files."""
