"""Oracles that check the reader's solutions, one module a chapter: each by a route of its own, never a copy of ours."""
