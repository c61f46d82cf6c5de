"""Tests of sipcore.cdr."""
