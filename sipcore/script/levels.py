"""Sans-IO: the log levels of OpenSIPS."""

LEVELS = {
    "L_ALERT": "critical",
    "L_CRIT": "critical",
    "L_ERR": "error",
    "L_WARN": "warning",
    "L_NOTICE": "info",
    "L_INFO": "info",
    "L_DBG": "debug",
}
"""Its word -> that of our log."""
