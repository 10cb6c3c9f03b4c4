"""Solvers: matrices in, policies out; they know nothing of games, and promise nothing: what they return is certified by the room above."""
