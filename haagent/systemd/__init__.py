"""Sans-IO: the services of a node under systemd: their unit files, and the command that installs them."""
