"""The rules in one compiled loop: the functions of :mod:`mmd_games.updates` themselves, compiled by numba and applied to scalars, so that a step allocates nothing.

Plain arrays and numbers go in and out; which runs go through here, and what becomes of the rows, is decided in :mod:`mmd_games.loop`. Importing this package imports numba.
"""
