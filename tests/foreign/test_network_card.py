"""The card of a network is closed; what is given is laid over what the network says of itself."""

import pytest

from dcac.closed import ConfigError, parse
from dcac.foreign.network_card import NetworkCard, PartCard, read_card
from dcac.foreign.weights_card import Weights

VIEW = {
    "height": 256,
    "width": 128,
    "resize": "bilinear",
    "channels": "rgb",
    "scale": 255,
    "mean": [0, 51, 255],
    "std": [51, 255, 510],
}


def test_mean_and_std_become_shares_of_a_white_pixel():
    assert NetworkCard(view=VIEW).view.shares() == ([0, 0.2, 1], [0.2, 1, 2])


def test_what_is_given_wins_key_by_key_over_the_networks_own():
    own = NetworkCard(view=VIEW, metric="cosine", trained_on=("MA",))
    assert PartCard().over(own, "n") == own
    given = PartCard(metric="euclidean", label="Mine").over(own, "n")
    assert (given.metric, given.label, given.trained_on, given.view) == ("euclidean", "Mine", ("MA",), own.view)


def test_without_any_view_the_remedy_is_said():
    with pytest.raises(ValueError, match=r"net does not say how it wants its images; give a card with `view:`"):
        PartCard(metric="cosine").over(None, "net")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 2}, "'view.scale' is 2"),
        ({"std": [0, 1, 1]}, r"'view.std.0' is 0"),
        ({"channels": "gbr"}, "'view.channels' is 'gbr'"),
        ({"heigth": 256}, "unknown key 'view.heigth'"),
        ({"mean": [0.5]}, "view.mean"),
    ],
)
def test_a_faulty_key_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        parse(PartCard, {"view": {**VIEW, **changes}}, "card")


def test_a_card_lies_beside_a_file_or_in_a_folder(tmp_path):
    (tmp_path / "net.yaml").write_text("label: Beside\n")
    (tmp_path / "net").mkdir()
    (tmp_path / "net/card.yaml").write_text("label: Within\n")
    assert read_card(None, tmp_path / "net.onnx").label == "Beside"
    assert read_card(None, tmp_path / "net").label == "Within"
    assert read_card(None, tmp_path / "other.onnx") == PartCard()
    assert read_card({"label": "Given"}, tmp_path / "net.onnx").label == "Given"
    assert read_card(str(tmp_path / "net.yaml"), tmp_path / "x").label == "Beside"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "folder"}, "a network is a file"),
        ({"path": "net.pth"}, r"ends in none of .onnx, .pt2"),
        ({"ema": True}, "'ema' belongs to a file of Stable Diffusion"),
        (
            {"kind": "diffusion", "architecture": "sd-1", "ema": True, "network": {"metric": "cosine"}},
            "'network' says how",
        ),
    ],
)
def test_cards_of_weights_hold_networks_to_their_kind(changes, message):
    content = {"kind": "network", "source": "file", "path": "net.onnx", "terms": "none", **changes}
    with pytest.raises(ConfigError, match=message):
        parse(Weights, content, "card")
