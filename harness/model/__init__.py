"""What happened and what was concluded, as plain values. Standard library only."""
