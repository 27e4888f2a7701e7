"""What keeps golive from being installed.

InstallationError   a sentence for the person at the terminal, with what to do
"""


class InstallationError(Exception):
    """Nothing was changed, or what was changed may be repeated."""
