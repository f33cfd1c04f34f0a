"""HuggingGPT on Prefect: an LLM plans AI work, expert models do it, and Prefect runs it.

This package is plain Python that never imports Prefect. Start with `plan/` (what to do), `experts/` (the models that do
it) and `trace/` (what happened).
"""

from hugginggpt.capabilities import add_installed_kinds

__version__ = "0.1.0"

# First, because a package that adds kinds may import any other module of ours.
add_installed_kinds()
