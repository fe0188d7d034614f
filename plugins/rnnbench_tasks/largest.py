"""The largest number that a data file may hold."""

LARGEST = 1e100
"""Its square is still a number."""
