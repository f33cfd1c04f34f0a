"""Experts that run models from the Hub on this machine, through transformers and diffusers."""

from hugginggpt.experts.local.automatic_speech_recognition import AutomaticSpeechRecognition
from hugginggpt.experts.local.controlnet import CONTROL_TO_IMAGE
from hugginggpt.experts.local.image_to_image import ImageToImage
from hugginggpt.experts.local.object_detection import ObjectDetection
from hugginggpt.experts.local.text_classification import TextClassification
from hugginggpt.experts.local.text_to_image import TextToImage

EXPERTS = (
    TextClassification(),
    ObjectDetection(),
    AutomaticSpeechRecognition(),
    TextToImage(),
    ImageToImage(),
    *CONTROL_TO_IMAGE,
)
