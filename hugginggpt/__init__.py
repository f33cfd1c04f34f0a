"""HuggingGPT on Prefect: an LLM plans AI work, expert models do it, Prefect runs it.

The nouns live here, in plain Python that never imports Prefect. Start with
`plan.py` (what is to be done), `experts/` (what does it) and `trace/` (what was done).
"""

__version__ = "0.1.0"
