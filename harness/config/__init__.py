"""Configuration: what may stand in the file, where each value comes from, and which SDK a run uses."""
