"""Part III: layers on graphs."""
