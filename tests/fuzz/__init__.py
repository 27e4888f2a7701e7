"""What a stranger's bytes can do to the packager: mutated spools, checked by the same rules."""
