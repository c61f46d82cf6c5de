"""Sans-IO: health checks: verdicts (`check`), what they weigh (`weights`), and the probes beside."""
