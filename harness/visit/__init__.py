"""One visit from end to end: live, hermetic or replayed."""
