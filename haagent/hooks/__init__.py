"""IO shell: tells others of changes of state: notify scripts, an event stream, webhooks."""
