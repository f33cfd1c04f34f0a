"""Experts whose models come in Python packages and need neither a key nor the network."""

from hugginggpt.experts.embedded.audio_to_audio import AudioToAudio
from hugginggpt.experts.embedded.automatic_speech_recognition import AutomaticSpeechRecognition
from hugginggpt.experts.embedded.canny_control import CannyControl
from hugginggpt.experts.embedded.document_question_answering import DocumentQuestionAnswering
from hugginggpt.experts.embedded.hed_control import HedControl
from hugginggpt.experts.embedded.image_segmentation import ImageSegmentation
from hugginggpt.experts.embedded.image_to_text import ImageToText
from hugginggpt.experts.embedded.mlsd_control import MlsdControl
from hugginggpt.experts.embedded.openpose_control import OpenposeControl
from hugginggpt.experts.embedded.scribble_control import ScribbleControl
from hugginggpt.experts.embedded.sentence_similarity import SentenceSimilarity
from hugginggpt.experts.embedded.speech_enhancement import SpeechEnhancement
from hugginggpt.experts.embedded.table_question_answering import TableQuestionAnswering
from hugginggpt.experts.embedded.tabular_classification import TabularClassification
from hugginggpt.experts.embedded.tabular_regression import TabularRegression
from hugginggpt.experts.embedded.text_classification import TextClassification
from hugginggpt.experts.embedded.text_to_speech import TextToSpeech
from hugginggpt.experts.embedded.zero_shot_classification import ZeroShotClassification

EXPERTS = (
    ImageToText(),
    DocumentQuestionAnswering(),
    TextToSpeech(),
    AutomaticSpeechRecognition(),
    TextClassification(),
    SentenceSimilarity(),
    ZeroShotClassification(),
    SpeechEnhancement(),
    AudioToAudio(),
    TableQuestionAnswering(),
    TabularClassification(),
    TabularRegression(),
    CannyControl(),
    HedControl(),
    MlsdControl(),
    ScribbleControl(),
    OpenposeControl(),
    ImageSegmentation(),
)
