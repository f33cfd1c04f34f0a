"""Experts run models: `base.py` is their interface, `registry.py` finds them, and `pool.py` keeps models loaded."""
