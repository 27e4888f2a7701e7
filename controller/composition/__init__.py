"""How the daemon's parts are put together: one module a part, called by `controller.app` alone."""
