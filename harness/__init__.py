"""chatkit-harness: find out whether an OpenAI ChatKit widget mounts, and if not, why."""

__version__ = "0.1.0"
