"""From files and environment to valid settings, or to lines that say what is wrong and where."""
