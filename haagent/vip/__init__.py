"""Sans-IO: which steps bring a virtual IP to a role: `plan`, and one module per strategy."""
