"""The embedded speech enhancement on a recording that comes with a package."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError, TaskCancelledError
from hugginggpt.experts.audio import resample
from hugginggpt.experts.embedded import speech_enhancement
from hugginggpt.media import Audio
from hugginggpt.progress import Progress, listening
from tests.experts.embedded import Embedded, embedded
from tests.experts.test_embedded_speech import noise, recorded


def si_sdr(clean: Any, heard: Any) -> float:
    """The scale-invariant ratio of signal and distortion, in dB."""
    clean, heard = clean - clean.mean(), heard - heard.mean()
    target = (clean @ heard) / (clean @ clean) * clean
    return float(10 * np.log10(np.square(target).sum() / np.square(heard - target).sum()))


def noisy(rate: int) -> tuple[Any, Any]:
    """Speech alone, and in noise 5 dB below it."""
    reading = recorded("two_cities.wav")
    speech = resample(reading.samples[:, 0], reading.rate, rate)
    hiss = noise(len(speech) / rate + 1, rate)[: len(speech), 0]
    return speech, speech + hiss * np.sqrt(np.square(speech).mean() / np.square(hiss).mean() / 10**0.5)


@pytest.fixture(scope="module")
def clean() -> Iterator[Embedded]:
    with embedded("audio-to-audio") as clean:
        yield clean


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_speech_comes_out_of_the_noise(clean: Embedded, rate: int) -> None:
    speech, dirty = noisy(rate)
    (sound,) = clean(audio=Audio(np.stack([dirty, speech], axis=1), rate))
    assert isinstance(sound, Audio) and sound.rate == rate and sound.samples.shape == (len(speech), 2)
    assert si_sdr(speech, dirty) == pytest.approx(5.0, abs=0.1)
    assert si_sdr(speech, sound.samples[:, 0]) > 12.6
    assert si_sdr(speech, sound.samples[:, 1]) > 15.0


def test_where_pieces_meet_nothing_is_heard(clean: Embedded) -> None:
    """The recording in pieces is what its second part is, cleaned alone with the seconds before."""
    speech, dirty = noisy(48_000)
    (whole,) = clean(audio=Audio(dirty[:, None], 48_000))
    (shifted,) = clean(audio=Audio(dirty[10 * 48_000 :, None], 48_000))
    around = slice(19 * 48_000, 21 * 48_000)
    there = slice(9 * 48_000, 11 * 48_000)
    assert si_sdr(shifted.samples[there, 0], whole.samples[around, 0]) > 25.0
    assert si_sdr(speech[around], whole.samples[around, 0]) > 12.6


def test_never_is_more_than_a_piece_resampled(clean: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of sound at the networks' rate would not fit into memory."""
    lengths = []

    def counted(samples: Any, rate: int, wanted: int) -> Any:
        lengths.append(len(samples) / rate)
        return resample(samples, rate, wanted)

    monkeypatch.setattr(speech_enhancement, "resample", counted)
    speech, dirty = noisy(16_000)
    assert len(speech) > 40 * 16_000
    clean(audio=Audio(dirty[:, None], 16_000))
    assert max(lengths) < 25


def test_what_holds_no_speech_is_left_to_another_expert(clean: Embedded) -> None:
    time = np.arange(5 * 44_100) / 44_100
    notes = sum(0.1 * np.sin(2 * np.pi * hertz * time) * np.exp(-3 * (time % 1)) for hertz in (262, 330, 392))
    with pytest.raises(ExpertError, match="No speech was found"):
        clean(audio=Audio(np.asarray(notes, np.float32)[:, None], 44_100))


@pytest.mark.parametrize("frames", [1, 961, 44_100])
def test_silence_is_left_to_another_expert(clean: Embedded, frames: int) -> None:
    with pytest.raises(ExpertError, match="No speech was found"):
        clean(audio=Audio(np.zeros((frames, 1), np.float32), 44_100))


def test_cancelling_stops_the_cleaning(clean: Embedded) -> None:
    deadline = Deadline(600)
    seen: list[Progress] = []

    def cancel(progress: Progress) -> None:
        seen.append(progress)
        deadline.cancel()

    _, dirty = noisy(16_000)
    with listening(cancel), pytest.raises(TaskCancelledError):
        clean.expert.run(clean.model, clean.expert.prepare({"audio": Audio(dirty[:, None], 16_000)}), deadline)
    assert seen == [Progress(0, 3)]
