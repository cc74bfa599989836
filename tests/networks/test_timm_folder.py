"""A timm folder is a network as it comes: its own view, its pooled feature."""

import json

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

import dcac


def test_the_view_is_that_of_config_json(timm_folder, pixels, view):
    network = dcac.load(timm_folder)
    assert network.card.view.model_dump(mode="json") == view
    config = json.loads((timm_folder / "config.json").read_text())
    model = timm.create_model(config["architecture"], num_classes=0, **config["model_args"]).eval()
    model.load_state_dict(load_file(timm_folder / "model.safetensors"))
    shares = (pixels / 255 - np.array(view["mean"])[:, None, None]) / np.array(view["std"])[:, None, None]
    with torch.no_grad():
        wanted = model(torch.from_numpy(shares).float()).numpy()
    np.testing.assert_allclose(network.encode_pixels(pixels), wanted, atol=1e-5)


def test_a_card_asks_for_another_size(timm_folder, view):
    network = dcac.load(timm_folder, card={"view": {**view, "height": 48, "width": 24}})
    assert network.encode_pixels(np.zeros((2, 3, 48, 24), np.uint8)).shape == (2, 24)


def test_a_folder_that_is_silent_about_its_normalisation_is_refused(encoder_folder):
    with pytest.raises(ValueError, match=r"does not say how it wants its images"):
        dcac.load(encoder_folder)


def test_a_head_is_kept_where_the_card_says_that_it_projects(timm_folder, pixels, view):
    config = json.loads((timm_folder / "config.json").read_text())
    config["num_classes"] = 5
    state = load_file(timm_folder / "model.safetensors")
    state |= {"head.weight": torch.randn(5, 24), "head.bias": torch.randn(5)}
    save_file(state, timm_folder / "model.safetensors")
    (timm_folder / "config.json").write_text(json.dumps(config))
    bare = dcac.load(timm_folder).encode_pixels(pixels)
    whole = dcac.load(timm_folder, card={"feature": {"head": "keep"}}).encode_pixels(pixels)
    wanted = bare @ state["head.weight"].numpy().T + state["head.bias"].numpy()
    np.testing.assert_allclose(whole, wanted, atol=1e-5)
