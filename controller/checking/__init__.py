"""`golive check`: looks at the configuration and at the machine, and says what to do."""
