"""Experts that run models from the Hub on this machine, through transformers and diffusers."""

from hugginggpt.experts.local.automatic_speech_recognition import AutomaticSpeechRecognition
from hugginggpt.experts.local.controlnet import CONTROL_TO_IMAGE
from hugginggpt.experts.local.image_to_image import ImageToImage
from hugginggpt.experts.local.image_to_video import ImageToVideo
from hugginggpt.experts.local.object_detection import ObjectDetection
from hugginggpt.experts.local.text_classification import TextClassification
from hugginggpt.experts.local.text_to_image import TextToImage
from hugginggpt.experts.local.text_to_video import TextToVideo

EXPERTS = (
    TextClassification(),
    ObjectDetection(),
    AutomaticSpeechRecognition(),
    TextToImage(),
    ImageToImage(),
    TextToVideo(),
    ImageToVideo(),
    *CONTROL_TO_IMAGE,
)
