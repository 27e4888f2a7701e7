"""Puts golive into a system that systemd runs, and takes it out again: files, user, units."""
