"""The card of a pre-trained network says all that its source needs, and nothing else."""

import pytest
import yaml

from dcac.closed import ConfigError, parse
from dcac.foreign.weights_card import Weights, load_weights


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"ema": None}, "need 'architecture' .sd-1 or sd-2-base. and 'ema'"),
        ({"architecture": None}, "need 'architecture'"),
        ({"architecture": "sd-3"}, "'architecture' is 'sd-3'"),
        ({"path": None}, "weights from a file need 'path'"),
        ({"kind": "encoder"}, "reads Stable Diffusion only; give this encoder as `source: folder`"),
        ({"source": "folder"}, "'architecture' belongs to `source: file` only"),
        ({"source": "folder", "architecture": None}, "'ema' belongs to `source: file` only"),
        ({"emma": True}, "unknown key 'emma' .did you mean 'ema'"),
    ],
)
def test_card_of_a_single_file_is_complete(changes, message):
    card = {
        "kind": "diffusion",
        "source": "file",
        "path": "sd.ckpt",
        "architecture": "sd-1",
        "ema": False,
        "terms": "t",
    }
    card = {key: value for key, value in {**card, **changes}.items() if value is not None}
    if message is None:
        assert parse(Weights, card, "test").ema is False
    else:
        with pytest.raises(ConfigError, match=message):
            parse(Weights, card, "test")


def test_commented_card_of_a_single_file_parses(config_dir):
    text = (config_dir / "weights.yaml").read_text(encoding="utf-8")
    example = text[text.index("# sd-v1-5-file:") :].replace("\n# ", "\n").removeprefix("# ")
    assert parse(Weights, yaml.safe_load(example)["sd-v1-5-file"], "test").source == "file"


def test_a_card_that_cannot_be_a_folder_or_is_no_mapping_is_refused(tmp_path):
    path = tmp_path / "weights.yaml"
    for text, message in (("my net: {}\n", "'my net' cannot be a name"), ("net: word\n", "'net' is 'word'; give")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=f"weights.yaml: weights {message}"):
            load_weights(path)


def test_the_home_folder_is_known_by_its_sign(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    card = {"kind": "encoder", "source": "folder", "path": "~/net", "terms": "t"}
    assert parse(Weights, card, "test").path == "/home/me/net"
