"""The latent cache gives the latents that the autoencoder would give."""

import copy
import json
import shutil
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors import safe_open

from dcac.data import store as data_store
from dcac.data.images import decode
from dcac.data.store import Record, read_split, write_store
from dcac.model.latents import BATCH, encode, load_moments, run, sample
from dcac.provenance.networks import network_input
from dcac.seeding import torch_generator


@pytest.fixture(scope="module")
def vae(prior_folder):
    return AutoencoderKL.from_pretrained(prior_folder / "vae").eval()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, size=(5, 3, 32, 32), dtype=np.uint8)


def test_cached_moments_and_noise_give_the_autoencoders_own_sample(vae, pixels):
    images = torch.from_numpy(pixels).float() / 127.5 - 1
    with torch.no_grad():
        theirs = vae.encode(images).latent_dist.sample(generator=torch.Generator().manual_seed(7))
    moments = encode(vae, pixels, "cpu")
    noise = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(sample(moments, noise, 0.18215), 0.18215 * theirs, rtol=0, atol=1e-6)


def test_hand_worked_sample():
    moments = torch.tensor([2.0, np.log(9.0)]).view(1, 2, 1, 1)  # mean 2, standard deviation 3
    assert sample(moments, torch.full((1, 1, 1, 1), -1.0), 0.5).item() == pytest.approx(-0.5)


def test_batches_of_the_encoder_do_not_matter(vae):
    images = np.random.default_rng(1).integers(0, 256, size=(BATCH + 3, 3, 32, 32), dtype=np.uint8)
    together = encode(vae, images, "cpu")
    alone = torch.cat([encode(vae, images[i : i + 1], "cpu") for i in (0, BATCH - 1, BATCH, BATCH + 2)])
    assert len(together) == BATCH + 3
    torch.testing.assert_close(together[[0, BATCH - 1, BATCH, BATCH + 2]], alone, rtol=0, atol=1e-5)


def test_moments_are_laid_out_as_files_want_them(vae, pixels):
    """Stable Diffusion's own autoencoder answers in a channels-last layout on a CPU; small ones do not by themselves."""
    plain = encode(vae, pixels, "cpu")
    other = encode(copy.deepcopy(vae).to(memory_format=torch.channels_last), pixels, "cpu")
    assert other.is_contiguous()
    torch.testing.assert_close(other, plain, rtol=0, atol=1e-5)


def test_extreme_pixels_become_minus_one_and_one(vae):
    """A stand-in encoder returns its input, so that the cache shows what the network would see."""

    class Mirror:
        def encode(self, batch):
            self.latent_dist = self
            self.mean, self.logvar = batch, batch
            return self

    shown = encode(Mirror(), np.array([0, 255], dtype=np.uint8).reshape(2, 1, 1, 1), "cpu")
    assert shown[:, 0].flatten().tolist() == [-1.0, 1.0]


@pytest.fixture
def read(latents, store, prior_folder):
    """Return a function that reads the moments of A, with changes to what is asked of the cache."""

    def load(*splits, **changes):
        return load_moments(latents, splits, **{"store": store, "prior": prior_folder, "size": 32, **changes})

    return load


def test_file_holds_every_split_in_store_order(read, store, vae):
    moments, scale = read("train", "query")
    assert scale == 0.7
    for split, count in (("train", 64), ("query", 16)):
        assert moments[split].shape == (count, 8, 8, 8) and moments[split].dtype == torch.float32
        images = decode(read_split(store, split)["data"], height=32, width=32)
        torch.testing.assert_close(moments[split][-3:], encode(vae, images[-3:], "cpu"), rtol=0, atol=1e-5)


def test_only_what_is_asked_for_is_read(read):
    assert list(read("query")[0]) == ["query"]


def test_large_splits_are_encoded_row_group_by_row_group(store, prior_folder, vae, tmp_path, monkeypatch):
    records = [
        Record(row.split, row.pid, row.camid, row.domain, row.path, row.data)
        for row in read_split(store, "train").itertuples()
    ]
    monkeypatch.setattr(data_store, "ROWS_PER_GROUP", 10)
    write_store(records, tmp_path / "A.parquet", facts={})
    run(store=tmp_path / "A.parquet", prior=prior_folder, size=32, out=tmp_path / "A.safetensors", device="cpu")
    with safe_open(tmp_path / "A.safetensors", framework="pt") as archive:
        assert list(archive.keys()) == ["train"]
        images = decode(read_split(store, "train")["data"], height=32, width=32)
        torch.testing.assert_close(archive.get_tensor("train"), encode(vae, images, "cpu"), rtol=0, atol=1e-5)


def test_cache_of_another_data_version_is_refused(read, store, tmp_path):
    newer = tmp_path / store.name
    shutil.copy(store, newer)
    sidecar = json.loads(store.with_suffix(".json").read_text())
    newer.with_suffix(".json").write_text(json.dumps({**sidecar, "sha256": "0" * 64}))
    with pytest.raises(ValueError, match=r"another version of .*; delete it and run the step again"):
        read("train", store=newer)


def test_cache_of_another_image_size_is_refused(read):
    with pytest.raises(ValueError, match="images of another size than 64 pixels; delete it"):
        read("train", size=64)


def test_cache_of_another_autoencoder_is_refused_but_the_u_net_may_change(read, prior_folder, tmp_path):
    files = json.loads((prior_folder / "manifest.json").read_text())["files"]
    for part, refused in (("unet", False), ("vae", True)):
        name = next(name for name in files if name.startswith(f"{part}/"))
        changed = {**files, name: {**files[name], "sha256": "0" * 64}}
        (tmp_path / "manifest.json").write_text(json.dumps({"files": changed}))
        with pytest.raises(ValueError, match="another autoencoder") if refused else nullcontext():
            read("train", prior=tmp_path)


def test_prior_without_autoencoder_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"unet/config.json": {"sha256": "0"}}}))
    with pytest.raises(ValueError, match="lists no file of vae/"):
        network_input(tmp_path, "vae/")


def test_cache_says_what_made_it(latents):
    with safe_open(latents, framework="pt") as archive:
        notes = archive.metadata()
    assert notes["size"] == "32" and len(notes["code"]) == 12 and len(notes["data"]) == 64


def test_posterior_noise_has_unit_variance_before_scaling():
    moments = torch.cat([torch.zeros(1, 1, 100, 100), torch.full((1, 1, 100, 100), 2 * np.log(3.0))], dim=1)
    drawn = sample(moments, torch.randn(1, 1, 100, 100, generator=torch_generator(0)), 2.0)
    assert drawn.std().item() == pytest.approx(6.0, rel=0.03)
