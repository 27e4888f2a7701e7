"""What is measured across the daemon: its loop, what it depends on, requests, hooks; and traces."""
