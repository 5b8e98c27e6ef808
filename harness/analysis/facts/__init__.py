"""The facts of one visit, prepared for the rules."""
