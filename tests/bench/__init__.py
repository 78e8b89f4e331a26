"""`make bench`: the figures the README speaks of, each a ratio or a percentile from one run on one machine."""
