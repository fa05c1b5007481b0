"""Part II: recurrent networks."""
