"""What a finished run leaves for others: a card written from its report, and an adapter that diffusers loads."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from dcac.model.diffusion import load_prior, prepare_fine_tuning


@pytest.fixture(scope="module")
def run(train, settings, tmp_path_factory):
    """A DCAC run with adapters that have moved, alpha / r unlike 1."""
    out = tmp_path_factory.mktemp("card") / "run"
    return out, train(out, settings.model_copy(update={"lora_alpha": 3.0, "lora_lr_multiplier": 100.0}))


def test_the_adapter_folder_loads_into_a_plain_unet_and_gives_the_same_output(run, settings, prior_folder):
    out, finished = run
    ours = load_prior(prior_folder)
    prepare_fine_tuning(ours, settings.model_copy(update={"lora_alpha": 3.0}), seed=0)
    learnt = {
        name.removeprefix("prior."): value for name, value in finished.weights.items() if name.startswith("prior.")
    }
    assert not ours.load_state_dict(learnt, strict=False).unexpected_keys
    theirs = UNet2DConditionModel.from_pretrained(prior_folder / "unet")
    inputs = torch.randn(2, 4, 8, 8), torch.tensor([10, 900]), torch.randn(2, 1, 12)
    with torch.no_grad():
        plain = theirs(*inputs).sample
        theirs.load_lora_adapter(out / "lora", prefix=None, use_safetensors=True)
        adapted, expected = theirs(*inputs).sample, ours.unet(*inputs).sample
    torch.testing.assert_close(adapted, expected, rtol=1e-4, atol=1e-5)
    assert (adapted - plain).abs().max() > 1e-3


def test_the_card_names_data_networks_and_the_last_epoch(run, settings):
    out, finished = run
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"last epoch {settings.epochs} of {settings.epochs}" in card
    assert finished.report["data"]["A"] in card and finished.report["code"] in card
    assert settings.encoder_weights in card and "mode lora, condition fc" in card


def test_a_baseline_has_no_adapter(train, settings, tmp_path):
    train(tmp_path / "run", settings.model_copy(update={"diffusion": "none"}))
    assert not (tmp_path / "run/lora").exists()
    assert "none: this is a baseline" in (tmp_path / "run/README.md").read_text(encoding="utf-8")
