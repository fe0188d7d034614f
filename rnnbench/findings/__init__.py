"""Tables to what they show: standings, ranks, paired comparisons, a verdict and its doubts."""
