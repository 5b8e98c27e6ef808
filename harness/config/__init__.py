"""Configuration: the keys of the file, the source of each value, and the SDK that a run uses."""
