"""HuggingGPT on Prefect: an LLM plans AI work, expert models do it, Prefect runs it.

The nouns live here, in plain Python that never imports Prefect. Start with
`plan.py` (what is to be done), `experts/` (what does it) and `trace/` (what was done).
"""

from hugginggpt.capabilities import add_installed_kinds

__version__ = "0.1.0"

# Before any other module of ours is half imported, which a package's module may import in its turn.
add_installed_kinds()
