"""Analysis: what is true about the data, the networks and their predictions, as numbers without a page."""
