"""The sub-commands of `golive`; one module each, imported when it is asked for."""
