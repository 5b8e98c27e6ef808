"""Recordings: reading, matching, comparing, and which experiment comes next."""
