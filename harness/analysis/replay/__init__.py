"""Recordings: reading, matching, comparing, and choosing the next experiment."""
