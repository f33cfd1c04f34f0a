import pytest

from hugginggpt.controller.grounding import unfounded

GIVEN = [
    "Read invoice.png",
    "Total 1,234.50 EUR on 2024-03-12, 81,99 before",
    "/data/artifacts/9f/9fc1d4.wav",
    "https://example.com/a?b=1",
    "facebook/detr-resnet-50",
    "score 0.9763, three dogs",
    "9fc1d4e5a6b7c8d9",
]


@pytest.mark.parametrize(
    "answer",
    [
        "The total is 1,234.50 EUR.",
        "The total is 1234.5 EUR, or 1.234,50 in Germany.",
        "It was 81.99 before March 12, 2024.",
        "The sound is at /data/artifacts/9f/9fc1d4.wav.",
        "The sound is 9fc1d4.wav, from `invoice.png`.",
        "See [the page](https://example.com/a?b=1).",
        "**facebook/detr-resnet-50** found 3 dogs with 97.6% (0.98).",
        "1. It reads and/or speaks.\n2. It does so at 12/03/2024.",
        "Input/output and TCP/IP are not models... that is, none ran.",
        "Hash 9fc1d4e5a6b7.",
        "An MP3 of the H264 kind in 3D.",
    ],
)
def test_what_was_given_may_be_said(answer: str) -> None:
    assert unfounded(answer, GIVEN) == []


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("The total is 1,234.60 EUR.", "1,234.60"),
        ("The total is 12345 EUR.", "12345"),
        ("The total is 8199.", "8199"),
        ("About 99% sure.", "99"),
        ("The sound is at /data/artifacts/00/000000.wav.", "/data/artifacts/00/000000.wav"),
        ("It is in /data/artifacts/9f/9fc1d4.wav.bak", "/data/artifacts/9f/9fc1d4.wav.bak"),
        (r"It is in C:\temp\x.wav", r"C:\temp\x.wav"),
        ("I saved it as result.png.", "result.png"),
        ("See https://example.org/.", "https://example.org/"),
        ("I used openai/whisper-large-v3.", "openai/whisper-large-v3"),
        ("I used the model openai/whisper.", "openai/whisper"),
        ("Hash 0123456789abcdef.", "0123456789abcdef"),
        ("The image is at [path].", "[path]"),
        ("The image is at <path to image>.", "<path to image>"),
    ],
)
def test_what_was_not_given_is_named(answer: str, named: str) -> None:
    problems = unfounded(answer, GIVEN)
    assert len(problems) == 1 and named in problems[0]


def test_digits_in_names_are_no_values() -> None:
    assert unfounded("It costs 50.", ["facebook/detr-resnet-50", "/a/50b.wav"])
    assert unfounded("It costs 81.99 on day 12.", ["EUR/81.99 12/03/2024"]) == []


def test_counts_may_be_said() -> None:
    assert unfounded("All 4 tasks ran.", GIVEN, counts=[4]) == []
    assert unfounded("All 4 tasks ran.", GIVEN)


def test_models_without_an_owner_are_known_by_name() -> None:
    assert unfounded("I used gpt2.", GIVEN, known_models=["gpt2"]) == ["It names 'gpt2', a model that was not used."]
    assert unfounded("I used gpt2.", [*GIVEN, "model gpt2"], known_models=["gpt2"]) == []


def test_without_numbers_code_is_free_too() -> None:
    code = "Save it:\n```python\nopen('result.png')\n```\nIt takes 5 minutes."
    assert unfounded(code, GIVEN, numbers=False) == []
    assert unfounded("It is in result.png.", GIVEN, numbers=False)
