"""Small networks of each kind, all of them one and the same computation."""

import json
import shutil
import signal

import numpy as np
import pytest
import torch
from torch import nn

from dcac.settings import dump_settings

SIZE = (32, 16)  # pixels, height and width
VIEW = {
    "height": SIZE[0],
    "width": SIZE[1],
    "resize": "bicubic",
    "channels": "rgb",
    "scale": 1,
    "mean": [0.1, 0.4, 0.7],
    "std": [0.2, 0.3, 0.6],
}


class Stripes(nn.Module):
    """Mean colours of four stripes, turned by a fixed matrix: 12 values."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.turn = nn.Parameter(torch.randn(12, 12, generator=generator))

    def forward(self, images):
        return images.unflatten(2, (4, -1)).mean(dim=(3, 4)).flatten(1) @ self.turn


@pytest.fixture(scope="session")
def view():
    """How the computation wants its pictures."""
    return VIEW


@pytest.fixture(scope="session")
def stripes():
    """The computation."""
    return Stripes().eval()


@pytest.fixture(scope="session")
def pixels():
    """Ten pictures uint8 [10, 3, H, W]."""
    return np.random.default_rng(0).integers(0, 256, (10, 3, *SIZE), dtype=np.uint8)


@pytest.fixture(scope="session")
def expected(stripes, pixels):
    """What the computation gives for the pictures under VIEW, by NumPy in float64."""
    shares = (pixels / 255 - np.array(VIEW["mean"])[:, None, None]) / np.array(VIEW["std"])[:, None, None]
    means = shares.reshape(10, 3, 4, SIZE[0] // 4, SIZE[1]).mean(axis=(3, 4)).reshape(10, 12)
    return means @ stripes.turn.detach().double().numpy()


@pytest.fixture
def write_onnx(tmp_path):
    """Return a function that writes a module as ONNX."""
    pytest.importorskip("onnxscript", reason="writing ONNX needs the extra onnx")

    def write(
        module, *, shape=(2, 3, *SIZE), dynamic=True, name="net.onnx", outputs=("features",), dtype=torch.float32
    ):
        path = tmp_path / name
        sizes = ({0: torch.export.Dim("batch")},) if dynamic else None
        program = torch.onnx.export(
            module.eval(), (torch.zeros(shape, dtype=dtype),), dynamo=True, verbose=False, input_names=["images"],
            output_names=list(outputs), dynamic_shapes=sizes,
        )  # fmt: skip
        program.save(path)
        return path

    return write


@pytest.fixture
def write_program(tmp_path):
    """Return a function that writes a module as a program of torch.export."""

    def write(module, *, shape=(2, 3, *SIZE), dynamic=True, name="net.pt2"):
        path = tmp_path / name
        sizes = ({0: torch.export.Dim("batch")},) if dynamic else None
        torch.export.save(torch.export.export(module.eval(), (torch.zeros(shape),), dynamic_shapes=sizes), path)
        return path

    return write


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, settings, store, encoder_folder):
    """A trained baseline as the workflow leaves it: the encoder lies beside it in results/weights."""
    from dcac.training import train

    root = tmp_path_factory.mktemp("project") / "results"
    chosen = settings.model_copy(update={"diffusion": "none", "epochs": 1, "encoder_weights": "tiny"})
    shutil.copytree(encoder_folder, root / "weights" / "tiny")
    config = root / "config.yaml"
    config.write_text(dump_settings(chosen), encoding="utf-8")
    out = root / "runs" / "seed0"
    files = {"config": config, "stores": [store], "encoder": root / "weights" / "tiny", "latents": [], "prior": None}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    train.run(**files, seed=0, out=out, device="cpu")
    for number, handler in handlers.items():  # a training run takes them
        signal.signal(number, handler)
    return out


@pytest.fixture
def timm_folder(encoder_folder, tmp_path):
    """The tiny ViT, with a normalisation of its own in its config.json."""
    folder = shutil.copytree(encoder_folder, tmp_path / "tiny")
    (folder / "manifest.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"] = {"mean": VIEW["mean"], "std": VIEW["std"], "input_size": [3, *SIZE]}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
