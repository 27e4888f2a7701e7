"""The control plane's values, rules and ports; imports nothing but `controller.errors`."""
