"""What becomes of pages inside Sphinx: extensions of ours, and what the last step on the built site calls."""
