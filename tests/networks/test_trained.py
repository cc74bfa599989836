"""A trained run as a network gives the features that `dcac extract` writes, to the bit."""

import shutil

import numpy as np
import pytest

import dcac
from dcac.data.store import read_split
from dcac.features import extract
from dcac.features.targets import decode_test_images
from dcac.networks.trained import load_reid


def test_features_are_those_of_extract(run_folder, store, settings):
    data = list(read_split(store, "query")["data"])
    model, own = load_reid(run_folder, encoder=None)
    images = decode_test_images(data, settings)
    wanted = extract.embed(model.embed, images, settings=own, device="cpu")
    network = dcac.load(run_folder)
    assert np.array_equal(network.encode(data), wanted)
    assert network.card.metric == "cosine" and network.card.trained_on == ("A",)


def test_the_callers_generator_is_left_alone(run_folder):
    import torch

    before = torch.random.get_rng_state()
    dcac.load(run_folder)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_encoder_that_is_not_at_hand_is_asked_for(run_folder, tmp_path, encoder_folder):
    alone = shutil.copytree(run_folder, tmp_path / "run")
    with pytest.raises(ValueError, match=r"its encoder 'tiny', which is not beside it.*--encoder"):
        dcac.load(alone)
    assert dcac.load(alone, encoder=encoder_folder).embed([np.zeros((9, 4, 3), np.uint8)]).shape == (1, 24)


def test_a_view_of_another_kind_is_refused(run_folder, view):
    with pytest.raises(ValueError, match=r"trained with a view of its own; remove `view:`"):
        dcac.load(run_folder, card={"view": view})
