"""Sans-IO: what the agent tells those who watch it: events, their feed, the figures of the metrics."""
