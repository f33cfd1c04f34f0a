"""What runs a model: one interface (`base.py`), a registry by kind, the pool of loaded models, and the runtimes."""
