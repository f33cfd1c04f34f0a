"""How well a controller plans: datasets of requests with their plans, predictions, and the published metrics.

`docs/evaluation.md` says what is measured and where the definitions come from.
"""
