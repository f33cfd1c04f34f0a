"""Experts that run models at an inference provider, through huggingface_hub.

The modules are the sections of the table of kinds (`hugginggpt/capabilities.py`).
"""

from hugginggpt.experts.remote import images_in, images_out, sound, tables, text

EXPERTS = (*text.EXPERTS, *tables.EXPERTS, *images_in.EXPERTS, *images_out.EXPERTS, *sound.EXPERTS)
