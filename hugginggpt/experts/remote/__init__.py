"""Experts that run models at an inference provider, through huggingface_hub."""

from hugginggpt.experts.remote.automatic_speech_recognition import AutomaticSpeechRecognition
from hugginggpt.experts.remote.object_detection import ObjectDetection
from hugginggpt.experts.remote.text_classification import TextClassification

EXPERTS = (TextClassification(), ObjectDetection(), AutomaticSpeechRecognition())
