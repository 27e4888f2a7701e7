"""What whoever supervises the daemon says to it, and hears of it: systemd's own protocols."""
