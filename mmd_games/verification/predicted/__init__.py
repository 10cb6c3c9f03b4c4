"""What theory predicts of a run near its limit, before it is run, and what the run shows of it."""
