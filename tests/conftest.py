"""A world small enough to train in seconds: data sets of two domains, an encoder and a latent diffusion model."""

import io
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # spinning threads cost more than they bring at this size

import numpy as np
import pytest
import yaml
from PIL import Image

from dcac import gpus
from dcac.data.catalog import load_cards
from dcac.data.store import Record, write_store
from dcac.provenance import manifest, write_json
from dcac.settings import Settings, parse_settings

CONFIG = Path(__file__).parents[1] / "config"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60  # seconds that the browser may take for an answer
HEIGHT, WIDTH = 32, 16  # pixels
TINY = {
    "image_height": HEIGHT,
    "image_width": WIDTH,
    "pad_pixels": 2,
    "freeze_patch_projection": False,
    "prototype_temperature": 0.05,
    "condition_temperature": 0.6,
    "diffusion_image_size": 32,
    "lora_rank": 2,
    "identities_per_batch": 8,
    "images_per_identity": 2,
    "epochs": 2,
    "warmup_epochs": 1,
    "decay_epochs": [2],
    "learning_rate": 1.0e-3,
    "precision": "fp32",
    "diagnostic_images": 8,
    "diagnostic_draws": 1,
    "diagnostic_period": 1,
}
ENCODER = {"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "img_size": [HEIGHT, WIDTH]}


def pytest_collection_modifyitems(items):
    """Begin with whole workflows, and of them with the cluster that mostly waits: then the two processes end together."""
    items.sort(key=lambda item: ("workflow" not in item.path.parts, item.path.name != "test_slurm.py"))


@pytest.fixture(autouse=True)
def cards_as_before():
    """No test leaves a choice of cards behind: one taken by it would be the only one that those after it see."""
    before = [os.environ.get(name) for name in (gpus.VISIBLE, gpus.FAKE)]
    yield
    assert [os.environ.get(name) for name in (gpus.VISIBLE, gpus.FAKE)] == before


class Browser:
    """One page of a headless Chromium, spoken to over two pipes."""

    def __init__(self, profile: Path):
        ask, self._out = os.pipe()
        self._in, answer = os.pipe()
        words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        words += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]

        def place():  # the ends that Chromium speaks through are its descriptors 3 and 4
            import fcntl

            read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ask, answer))
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            words, preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(ask)
        os.close(answer)
        self._buffer, self._number, self.events = b"", 0, []
        (target,) = [t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session = None
        self._session = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, page: Path, *, width: int) -> None:
        """Open a file at a width in pixels and wait until it is loaded."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        self.until("document.readyState === 'complete'")

    def ask(self, expression: str):
        """Return the value of an expression of JavaScript."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.ask(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.05)

    def write(self, text: str) -> None:
        """Write a text where the focus is."""
        self._call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=13, **text)

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console, exceptions included."""
        self.ask("1")
        found = []
        for event in self.events:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]))
            if event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning"):
                found.append(str(event["params"]["args"]))
            if event["method"] == "Log.entryAdded":
                found.append(event["params"]["entry"]["text"])
        return found

    def requests(self) -> list[str]:
        """Return the addresses that were asked for, but for what the page holds itself."""
        sent = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._out)
        os.close(self._in)

    def _call(self, method: str, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def _read(self) -> dict:
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 16)
            assert part, "the browser ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser, where the machine has one."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here")
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def config_dir():
    """The project's own configuration."""
    return CONFIG


@pytest.fixture(scope="session")
def catalog():
    """The project's own cards, without those of this clone."""
    return load_cards(CONFIG / "datasets.yaml")


@pytest.fixture(scope="session")
def settings():
    """Settings of a tiny DCAC run: the paper's, sized down."""
    base = yaml.safe_load((CONFIG / "base" / "paper.yaml").read_text(encoding="utf-8"))
    return parse_settings({**base, **TINY}, "tests/conftest.py")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The data set A: 16 people with 4 images each to train on, and 4 people as queries."""
    return _write_domain(tmp_path_factory.mktemp("data") / "A.parquet", seed=1)


@pytest.fixture(scope="session")
def other_store(tmp_path_factory):
    """The data set B, with other people under the same pids."""
    return _write_domain(tmp_path_factory.mktemp("data") / "B.parquet", seed=2)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """A ViT with a class token, a width of 24 and no head, in timm's layout."""
    import timm
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("encoder")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model("vit_tiny_patch16_224", num_classes=0, **ENCODER)
    save_file(model.state_dict(), folder / "model.safetensors")
    config = {"architecture": "vit_tiny_patch16_224", "num_classes": 0, "model_args": ENCODER}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_json(folder / "manifest.json", {"files": manifest(folder)})
    return folder


@pytest.fixture(scope="session")
def prior_folder(tmp_path_factory):
    """A random VAE and U-Net on 8 x 8 latents, in the diffusers layout."""
    import torch
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

    folder = tmp_path_factory.mktemp("prior")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(8, 8, 8),
            norm_num_groups=4,
            mid_block_add_attention=False,
            scaling_factor=0.7,
        )
        unet = UNet2DConditionModel(
            sample_size=8,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(8, 16),
            layers_per_block=1,
            cross_attention_dim=12,
            attention_head_dim=2,
            norm_num_groups=4,
        )
    vae.save_pretrained(folder / "vae")
    unet.save_pretrained(folder / "unet")
    scheduler = DDPMScheduler(beta_start=8.5e-4, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
    scheduler.save_pretrained(folder / "scheduler")
    write_json(folder / "manifest.json", {"files": manifest(folder)})
    return folder


@pytest.fixture(scope="session")
def latents(store, prior_folder, settings):
    """The cached moments of data set A."""
    return _encode(store, prior_folder, settings)


@pytest.fixture(scope="session")
def other_latents(other_store, prior_folder, settings):
    """The cached moments of data set B."""
    return _encode(other_store, prior_folder, settings)


def _encode(store: Path, prior: Path, settings: Settings) -> Path:
    from dcac.model import latents

    out = store.with_suffix(".safetensors")
    latents.run(store=store, prior=prior, size=settings.diffusion_image_size, out=out, device="cpu")
    return out


def _write_domain(path: Path, *, seed: int) -> Path:
    """Draw people as blocks of colour with a little noise: easy to tell apart, so that a small network can learn them."""
    generator = np.random.default_rng(seed)
    records = []
    for pid in range(20):
        blocks = generator.integers(0, 256, size=(4, 2, 3))
        split = "train" if pid < 16 else "query"
        for shot in range(4):
            name = f"{split}/{pid:02d}_{shot}.png"
            records.append(Record(split, pid, shot % 2, path.stem, name, _encode_png(blocks, generator)))
    write_store(records, path, facts={"dataset": path.stem, "version": "1"})
    return path


def _encode_png(blocks: np.ndarray, generator: np.random.Generator) -> bytes:
    pixels = np.kron(blocks, np.ones((HEIGHT // 4, WIDTH // 2, 1))) + generator.normal(0, 10, size=(HEIGHT, WIDTH, 3))
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, format="PNG")
    return stream.getvalue()
