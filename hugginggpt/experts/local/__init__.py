"""Experts that run models from the Hub on this machine, through transformers and diffusers."""

from hugginggpt.experts.local.audio_classification import AudioClassification
from hugginggpt.experts.local.audio_to_audio import AudioToAudio
from hugginggpt.experts.local.automatic_speech_recognition import AutomaticSpeechRecognition
from hugginggpt.experts.local.controlnet import CONTROL_TO_IMAGE
from hugginggpt.experts.local.conversational import Conversational
from hugginggpt.experts.local.depth_control import DepthControl
from hugginggpt.experts.local.depth_estimation import DepthEstimation
from hugginggpt.experts.local.document_question_answering import DocumentQuestionAnswering
from hugginggpt.experts.local.feature_extraction import FeatureExtraction
from hugginggpt.experts.local.fill_mask import FillMask
from hugginggpt.experts.local.hed_control import HedControl
from hugginggpt.experts.local.image_classification import ImageClassification
from hugginggpt.experts.local.image_segmentation import ImageSegmentation
from hugginggpt.experts.local.image_text_to_text import ImageTextToText
from hugginggpt.experts.local.image_to_image import ImageToImage
from hugginggpt.experts.local.image_to_text import ImageToText
from hugginggpt.experts.local.image_to_video import ImageToVideo
from hugginggpt.experts.local.mask_generation import MaskGeneration
from hugginggpt.experts.local.normal_control import NormalControl
from hugginggpt.experts.local.object_detection import ObjectDetection
from hugginggpt.experts.local.openpose_control import OpenposeControl
from hugginggpt.experts.local.question_answering import QuestionAnswering
from hugginggpt.experts.local.seg_control import SegControl
from hugginggpt.experts.local.sentence_similarity import SentenceSimilarity
from hugginggpt.experts.local.summarization import Summarization
from hugginggpt.experts.local.table_question_answering import TableQuestionAnswering
from hugginggpt.experts.local.tabular_classification import TabularClassification
from hugginggpt.experts.local.tabular_regression import TabularRegression
from hugginggpt.experts.local.text2text_generation import Text2TextGeneration
from hugginggpt.experts.local.text_classification import TextClassification
from hugginggpt.experts.local.text_generation import TextGeneration
from hugginggpt.experts.local.text_to_audio import TextToAudio
from hugginggpt.experts.local.text_to_image import TextToImage
from hugginggpt.experts.local.text_to_speech import TextToSpeech
from hugginggpt.experts.local.text_to_video import TextToVideo
from hugginggpt.experts.local.token_classification import TokenClassification
from hugginggpt.experts.local.translation import Translation
from hugginggpt.experts.local.video_classification import VideoClassification
from hugginggpt.experts.local.visual_question_answering import VisualQuestionAnswering
from hugginggpt.experts.local.zero_shot_classification import ZeroShotClassification
from hugginggpt.experts.local.zero_shot_image_classification import ZeroShotImageClassification
from hugginggpt.experts.local.zero_shot_object_detection import ZeroShotObjectDetection

EXPERTS = (
    AudioClassification(),
    AudioToAudio(),
    TabularClassification(),
    TabularRegression(),
    TextToAudio(),
    TextToSpeech(),
    VideoClassification(),
    DepthControl(),
    DepthEstimation(),
    DocumentQuestionAnswering(),
    HedControl(),
    ImageClassification(),
    ImageSegmentation(),
    ImageTextToText(),
    ImageToText(),
    MaskGeneration(),
    NormalControl(),
    OpenposeControl(),
    SegControl(),
    VisualQuestionAnswering(),
    ZeroShotImageClassification(),
    ZeroShotObjectDetection(),
    Conversational(),
    FeatureExtraction(),
    FillMask(),
    QuestionAnswering(),
    SentenceSimilarity(),
    Summarization(),
    TableQuestionAnswering(),
    Text2TextGeneration(),
    TextGeneration(),
    TokenClassification(),
    Translation(),
    ZeroShotClassification(),
    TextClassification(),
    ObjectDetection(),
    AutomaticSpeechRecognition(),
    TextToImage(),
    ImageToImage(),
    TextToVideo(),
    ImageToVideo(),
    *CONTROL_TO_IMAGE,
)
