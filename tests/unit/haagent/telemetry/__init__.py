"""What the agent tells those who watch it."""
