"""Speed: every case measures ratios within one run, between things that take turns."""
