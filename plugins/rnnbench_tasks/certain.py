"""How sure a predictor is that knows the answer, as a logit."""

CERTAIN = 50.0
"""e⁻⁵⁰ vanishes beside 1 in float64, and unlike ∞ it keeps every loss finite."""
