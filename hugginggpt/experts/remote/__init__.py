"""Experts that run models at an inference provider, through `huggingface_hub.InferenceClient`.

A provider that the client knows needs only the setting HUGGINGGPT_INFERENCE_PROVIDER, and a server that speaks the
Hub's protocol only HUGGINGGPT_INFERENCE_ENDPOINT. For any other provider, subclass `RemoteModel` in
`provider.py` and return it from `RemoteExpert.load`.
The other modules are named after the sections of the table of kinds (`hugginggpt/capabilities.py`).
"""

from hugginggpt.experts.remote import audio, image_inputs, image_outputs, tables, text

EXPERTS = (*text.EXPERTS, *tables.EXPERTS, *image_inputs.EXPERTS, *image_outputs.EXPERTS, *audio.EXPERTS)
