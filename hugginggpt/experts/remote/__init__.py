"""Experts that run models at an inference provider, through huggingface_hub.

The modules are the sections of the table of kinds (`hugginggpt/capabilities.py`).
"""

from hugginggpt.experts.remote import audio, image_inputs, image_outputs, tables, text

EXPERTS = (*text.EXPERTS, *tables.EXPERTS, *image_inputs.EXPERTS, *image_outputs.EXPERTS, *audio.EXPERTS)
