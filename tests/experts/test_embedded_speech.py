"""The embedded speech recognition on recordings that come with its package."""

import re
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, TaskCancelledError
from hugginggpt.experts.embedded.speech_spans import best_cut, speech_spans, utterances
from hugginggpt.media import Audio, Text
from hugginggpt.progress import Progress, listening
from hugginggpt.settings import CHECKOUT
from tests.experts.embedded import Embedded, embedded

# Charles Dickens, A Tale of Two Cities (1859): what is read in two_cities.wav.
DICKENS = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness,
it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness,
it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were
all going direct to Heaven, we were all going direct the other way. In short, the period was so far like the present
period, that some of its noisiest authorities insisted on its being received, for good or for evil, in the superlative
degree of comparison only."""
BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
FRAMES = 31.25
"""In a second."""


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower().replace("-", " "))


def word_errors(wanted: str, heard: str) -> float:
    """The least number of words inserted, left out or replaced, per word of the wanted text."""
    expected, found = words(wanted), words(heard)
    row = list(range(len(found) + 1))
    for i, word in enumerate(expected, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(found, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1] / len(expected)


def recorded(name: str) -> Audio:
    spec = find_spec("moonshine_voice")
    assert spec is not None and spec.origin is not None
    samples, rate = soundfile.read(Path(spec.origin).parent / "assets" / name, dtype="float32", always_2d=True)
    return Audio(samples, rate)


def noise(seconds: float, rate: int, loudness: float = 0.01) -> Any:
    made = loudness * np.random.default_rng(0).normal(size=(int(seconds * rate), 1))
    return made.astype(np.float32)


@pytest.fixture(scope="module")
def hear() -> Iterator[Embedded]:
    with embedded("automatic-speech-recognition") as hear:
        yield hear


@pytest.mark.parametrize(("name", "said"), [("two_cities.wav", DICKENS), ("beckett.wav", BECKETT)])
def test_the_word_error_rate_is_under_ten_percent(hear: Embedded, name: str, said: str) -> None:
    (text,) = hear(audio=recorded(name))
    assert word_errors(said, text.text) < 0.1
    assert text.text[0].isupper() and text.text[-1] in ".!?"


def test_the_example_is_heard(hear: Embedded) -> None:
    samples, rate = soundfile.read(CHECKOUT / "examples" / "message.wav", dtype="float32", always_2d=True)
    (text,) = hear(audio=Audio(samples, rate))
    for said in ("two apple trees have arrived", "on Friday afternoon", "the driver needs a signature"):
        assert said in text.text


def test_a_long_recording_loses_and_doubles_no_word_where_it_is_cut(hear: Embedded) -> None:
    reading = recorded("two_cities.wav")
    pause = noise(7.0, reading.rate)
    long = np.concatenate([pause, reading.samples, pause, reading.samples])
    seen: list[Progress] = []
    with listening(seen.append):
        (text,) = hear(audio=Audio(np.repeat(long, 2, axis=1), reading.rate))
    assert word_errors(f"{DICKENS} {DICKENS}", text.text) < 0.05
    assert [p.done for p in seen] == sorted({p.done for p in seen}) and {p.total for p in seen} == {4}


def test_quiet_speech_in_noise_is_heard(hear: Embedded) -> None:
    reading = recorded("beckett.wav")
    quiet = 0.01 * (
        reading.samples + noise(len(reading.samples) / reading.rate, reading.rate, 0.002)[: len(reading.samples)]
    )
    (text,) = hear(audio=Audio(quiet, reading.rate))
    assert word_errors(BECKETT, text.text) < 0.1


@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("sound", ["silence", "noise", "a tone", "a click"])
def test_where_nobody_speaks_no_word_is_invented(hear: Embedded, sound: str, rate: int) -> None:
    samples = {
        "silence": np.zeros((5 * rate, 1), np.float32),
        "noise": noise(35.0, rate, 0.2),
        "a tone": 0.3 * np.sin(np.arange(5 * rate) * 440 * 2 * np.pi / rate).astype(np.float32)[:, None],
        "a click": np.ones((1, 1), np.float32),
    }[sound]
    with pytest.raises(ExpertError, match=r"No speech was found in the recording\."):
        hear(audio=Audio(samples, rate))


def test_no_english_is_invented_for_another_language(hear: Embedded) -> None:
    with embedded("text-to-speech") as speak:
        (sound,) = speak(text=Text("Московский государственный университет открывает двери завтра утром"))
    with pytest.raises(ExpertError, match="only clear English"):
        hear(audio=sound)


def test_hearing_stops_at_the_deadline_and_works_again(hear: Embedded) -> None:
    reading = recorded("two_cities.wav")
    with pytest.raises(DeadlineExceededError):
        hear(seconds=0.2, audio=Audio(np.tile(reading.samples, (10, 1)), reading.rate))
    assert "fail better" in hear(audio=recorded("beckett.wav"))[0].text.lower()


def test_cancelling_stops_hearing(hear: Embedded) -> None:
    reading = recorded("two_cities.wav")
    deadline = Deadline(600)
    prepared = hear.expert.prepare({"audio": Audio(np.tile(reading.samples, (10, 1)), reading.rate)})

    def cancel(progress: Progress) -> None:
        threading.Timer(0.1, deadline.cancel).start()

    with listening(cancel), pytest.raises(TaskCancelledError):
        hear.expert.run(hear.model, prepared, deadline)


def probabilities(*parts: tuple[float, float]) -> Any:
    """Of speech, in each frame: for each part its seconds and the probability."""
    return np.concatenate([np.full(int(seconds * FRAMES), likely) for seconds, likely in parts])


def test_a_cut_is_in_the_middle_of_the_longest_pause_of_the_second_half() -> None:
    found = probabilities((4, 1.0), (4, 0.0), (12, 1.0), (0.5, 0.0), (4, 1.0), (1, 0.0), (4, 1.0))
    assert best_cut(found) / FRAMES == pytest.approx(25.0, abs=0.1)


def test_where_there_is_no_pause_the_cut_is_where_speech_is_least_likely() -> None:
    assert best_cut(probabilities((20, 0.9), (0.1, 0.6), (9, 0.9))) / FRAMES == pytest.approx(20.0, abs=0.1)
    assert best_cut(probabilities((30, 0.0))) / FRAMES == pytest.approx(22.5, abs=0.1)


def test_long_pauses_are_left_out_and_no_sound_is_transcribed_twice() -> None:
    found = probabilities((5, 0.0), (3, 1.0), (1, 0.0), (2, 1.0), (8, 0.0), (0.03, 1.0), (4, 0.0), (2, 1.0))
    parts = list(utterances(speech_spans(found), len(found), FRAMES))
    assert [edge / FRAMES for part in parts for edge in part] == pytest.approx([4.8, 11.2, 22.8, 25.0], abs=0.15)
    assert list(utterances([], 100, FRAMES)) == []
    close = list(utterances([(0, 40), (110, 150)], 150, FRAMES))
    assert close == [(0, 47), (103, 150)]
