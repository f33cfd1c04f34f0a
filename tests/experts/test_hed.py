"""HED, whose weights come as a single file that the catalog knows by its hash: random ones of the real size here."""

import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from torch import nn

from hugginggpt.catalog.hub import Hub
from hugginggpt.catalog.obstacles import find_obstacle
from hugginggpt.media import Image
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, run

FILE = "ControlNetHED.pth"
VGG = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]


def weights() -> dict[str, torch.Tensor]:
    """As the published file names and stores them."""
    torch.manual_seed(0)
    made, given = {"norm": torch.full((1, 3, 1, 1), 120.0)}, 3
    for number, (channels, layers) in enumerate(VGG, 1):
        for layer in range(layers):
            conv = nn.Conv2d(given, channels, 3)
            made |= {f"block{number}.convs.{layer}.{name}": value for name, value in conv.state_dict().items()}
            given = channels
        edges = nn.Conv2d(channels, 1, 1)
        made |= {f"block{number}.projection.{name}": value for name, value in edges.state_dict().items()}
    return {name: value.half() for name, value in made.items()}


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path]]:
    folder = tmp_path_factory.mktemp("hed")

    def build(models: Path) -> None:
        for name in ("good", "harmful"):
            (models / "hed" / name).mkdir(parents=True)
        torch.save(weights(), models / "hed" / "good" / FILE)
        (models / "hed" / "harmful" / FILE).write_bytes(pickle.dumps(Harmful(folder / "it ran")))

    with hub_of(build, folder) as settings:
        yield settings, folder


def card(hub: tuple[Settings, Path], name: str) -> ModelCard:
    digest = hashlib.sha256((hub[1] / "models" / "hed" / name / FILE).read_bytes()).hexdigest()
    return ModelCard(id=f"hed/{name}", kind="hed-control", sha256={FILE: digest})


def expected(picture: PILImage.Image) -> np.ndarray:
    """What the published description of the network gives for a picture of its size."""
    of = {name: value.float() for name, value in weights().items()}
    features = torch.from_numpy(np.array(picture, np.float32)).permute(2, 0, 1)[None] - of["norm"]
    drawn = []
    for number, (_, layers) in enumerate(VGG, 1):
        block = f"block{number}"
        for layer in range(layers):
            at = f"{block}.convs.{layer}"
            features = nn.functional.conv2d(features, of[f"{at}.weight"], of[f"{at}.bias"], padding=1).relu()
        edges = nn.functional.conv2d(features, of[f"{block}.projection.weight"], of[f"{block}.projection.bias"])
        drawn.append(nn.functional.interpolate(edges, picture.size[::-1], mode="bilinear"))
        features = nn.functional.max_pool2d(features, 2)
    return (255 * torch.sigmoid(sum(drawn, torch.zeros(())) / 5))[0, 0].numpy().astype(np.uint8)


def test_what_it_draws_is_what_the_network_gives(hub: tuple[Settings, Path]) -> None:
    rows, columns = np.mgrid[0:64, 0:1024]  # of the size that suits the network
    picture = PILImage.fromarray(np.stack([rows * 4, columns // 4, (rows + columns) % 256], axis=-1).astype(np.uint8))
    (made,) = run(hub[0], "hed-control", card(hub, "good"), image=Image(picture))
    assert isinstance(made, Image) and made.image.mode == "RGB"
    drawn = np.asarray(made.image)
    assert np.abs(drawn[..., 0].astype(int) - expected(picture)).max() <= 1
    assert drawn.std() > 0


@pytest.mark.parametrize(("mode", "size"), [("1", (1, 1)), ("CMYK", (900, 2)), ("LA", (4, 45))])
def test_the_drawing_is_as_large_as_the_picture(hub: tuple[Settings, Path], mode: str, size: tuple[int, int]) -> None:
    (made,) = run(hub[0], "hed-control", card(hub, "good"), image=Image(PILImage.new(mode, size)))
    assert isinstance(made, Image) and made.image.size == size


def test_code_in_a_file_of_the_right_hash_does_not_run(hub: tuple[Settings, Path]) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"[Ww]eights"):
        run(hub[0], "hed-control", card(hub, "harmful"), image=Image(PILImage.new("RGB", (8, 8))))
    assert not (hub[1] / "it ran").exists()


def test_the_catalog_has_it_and_no_other_file_is_taken() -> None:
    (known,) = (card for card in bundled_cards()["hed-control"] if Endpoint.LOCAL in card.runs_on)
    assert list(known.sha256) == [FILE]

    def obstacle(**told: object) -> str | None:
        settings = Settings()
        card = known.model_copy(update={"safetensors": False, **told})
        where = {"installed": True, "fetches": True, "listed": True}
        return find_obstacle(card, Endpoint.LOCAL, settings, Hub(settings), **where)

    assert obstacle() is None
    assert "No expert for hed-control (local) runs lllyasviel/Annotators: choose another" in (obstacle(sha256={}) or "")
