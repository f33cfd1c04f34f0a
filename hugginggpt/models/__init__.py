"""Facts about models: cards, measured figures, files, and whether a model is on this machine."""
