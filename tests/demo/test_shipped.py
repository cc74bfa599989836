"""The two networks that lie in the repository: they are those of their cards, and their recipes are those that made them."""

import json
from pathlib import Path

import pytest

from dcac.demo.recipes import recipe
from dcac.foreign.weights_card import load_weights
from dcac.provenance import sha256

ROOT = Path(__file__).parents[2]
MOST = 5e6  # bytes of a network that a clone carries


@pytest.fixture(params=["encoder", "diffusion"])
def shipped(request):
    """Kind, card, recipe card and folder of a shipped network."""
    cards = load_weights(ROOT / "config/weights.yaml")
    name = f"demo-{request.param}"
    return request.param, cards[name], cards[f"{name}-recipe"], ROOT / cards[name].path


def test_a_shipped_network_is_what_its_recipe_made(shipped):
    kind, _, made_by, folder = shipped
    made = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    assert made["settings"] == recipe(kind, made_by.pretraining).model_dump(mode="json")
    assert {name: sha256(folder / name) for name in made["files"]} == {
        name: entry["sha256"] for name, entry in made["files"].items()
    }


def test_a_shipped_network_is_small_and_its_card_holds_it_to_its_content(shipped):
    _, card, _, folder = shipped
    tensors = sorted(folder.rglob("*.safetensors"))
    assert card.sha256 == {path.relative_to(folder).as_posix(): sha256(path) for path in tensors}
    assert sum(path.stat().st_size for path in folder.rglob("*")) < MOST


def test_the_shipped_prior_hears_its_caption():
    made = json.loads((ROOT / "config/networks/demo-diffusion/made.json").read_text(encoding="utf-8"))
    assert made["noise_own"] < made["noise_null"] < made["noise_other"]
    assert made["noise_other"] / made["noise_own"] > 1.02
