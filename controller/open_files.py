"""How many descriptors the daemon may have: one for each player that waits."""

import resource

MOST_OPEN_FILES = 65_536


def raise_open_files_limit() -> int:
    """Raise this process's own limit as far as its hard limit allows; answers the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
