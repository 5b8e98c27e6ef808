"""A visit from start to end: live, hermetic or replayed."""
