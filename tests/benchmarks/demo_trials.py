"""Try settings of the demo outside of its suite: on people of another rendering seed, who are not those of its tables.

    python tests/benchmarks/demo_trials.py FOLDER [--rendering 1] [--epochs 8] [--variant dcac] [--sources campus street]
        [--seed 0] [KEY=VALUE ...]

Renders the four networks and, with `--epochs`, pre-trains an encoder for so many, unless FOLDER holds them already; otherwise the
shipped networks serve. Trains one run a source with the settings of `config/base/demo.yaml`, changed by each KEY=VALUE. Prints
mAP at home and on the other networks, before and after; of a method with a prior also the mean largest p and the held-out noise losses.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import yaml

from dcac.data.catalog import load_catalog
from dcac.data.store import read_split
from dcac.demo import pretrain_encoder, render
from dcac.demo.recipes import EncoderPretraining
from dcac.evaluation.metrics import score_ranking
from dcac.features.extract import embed
from dcac.features.reference import histograms, pretrained
from dcac.features.targets import TEST_SPLITS, encode_store
from dcac.foreign import weights
from dcac.foreign.weights_card import load_weights
from dcac.model import latents
from dcac.settings import Settings
from dcac.suites import load_suite, run_settings
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training

CONFIG = Path(__file__).parents[2] / "config"
NETWORKS = ("campus", "winter", "mall", "street")


def main() -> None:
    """Print what the settings of the command line lead to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--rendering", type=int, default=1, help="seed of people and cameras; those of the suite have another"
    )
    parser.add_argument("--epochs", type=int, help="of the encoder's pre-training; without it the shipped one")
    parser.add_argument("--variant", default="dcac")
    parser.add_argument("--sources", nargs="+", choices=NETWORKS, default=["campus", "street"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_intermixed_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    prior = shipped(given.folder, "demo-diffusion")
    encoder = pretrained_encoder(given.folder, given.epochs) if given.epochs else shipped(given.folder, "demo-encoder")
    stores = {name: rendered(given.folder, name, given.rendering) for name in NETWORKS}
    suite = load_suite("demo", CONFIG)
    settings = run_settings(suite, given.variant, "campus", CONFIG)
    changes = {key: yaml.safe_load(value) for key, value in (change.split("=", 1) for change in given.changes)}
    settings = type(settings).model_validate(settings.model_dump() | changes)
    before = {
        "histogram": mean_ap(histograms, stores, settings),
        "pre-trained": mean_ap(pretrained(encoder, settings, "cpu"), stores, settings),
    }
    for name, scores in before.items():
        print(f"{name}: {np.mean(list(scores.values())):.1f} mAP over the four networks")
    for source in given.sources:
        others = [name for name in NETWORKS if name != source]
        found, line = trial(source, stores, settings, encoder, prior, given.seed)
        unseen, start = (np.mean([scores[name] for name in others]) for scores in (found, before["pre-trained"]))
        print(
            f"{source}: {found[source]:.1f} at home, {unseen:.1f} elsewhere ({start:.1f} before){told(line)}",
            flush=True,
        )


def shipped(folder: Path, name: str) -> Path:
    """Take a network that lies in the repository."""
    card, out = load_weights(CONFIG / "weights.yaml")[name], folder / name
    weights.run(name=name, card=card.model_copy(update={"path": str(CONFIG.parent / card.path)}), out=out)
    return out


def pretrained_encoder(folder: Path, epochs: int) -> Path:
    """Pre-train an encoder by the demo's recipe but for its epochs."""
    out, broad = folder / f"encoder-{epochs}", folder / "broad.parquet"
    render.run(load_catalog(CONFIG / "datasets.yaml")["broad"], broad)
    recipe = yaml.safe_load((CONFIG / "weights.yaml").read_text())["demo-encoder-recipe"]["pretraining"]
    pretrain_encoder.run(store=broad, settings=EncoderPretraining(**recipe | {"epochs": epochs}), out=out, device="cpu")
    return out


def rendered(folder: Path, name: str, seed: int) -> Path:
    """Render a network of the demo's size with a seed."""
    card, out = load_catalog(CONFIG / "datasets.yaml")[name], folder / f"seed{seed}" / f"{name}.parquet"
    out.parent.mkdir(exist_ok=True)
    render.run(card.model_copy(update={"synthetic": card.synthetic.model_copy(update={"seed": seed})}), out)
    return out


def mean_ap(encode: Callable, stores: dict[str, Path], settings: Settings) -> dict[str, float]:
    """Score features on each network: mAP in per cent."""
    scores = {}
    for name, store in stores.items():
        features, rows = encode_store(store, encode, settings), read_split(store, TEST_SPLITS, images=False)
        query, pids, camids = rows["split"].eq("query").to_numpy(), rows["pid"].to_numpy(), rows["camid"].to_numpy()
        parts = [part[side] for side in (query, ~query) for part in (features, pids, camids)]
        scores[name] = 100 * score_ranking(*parts).mAP
    return scores


def trial(
    source: str, stores: dict[str, Path], settings: Settings, encoder: Path, prior: Path, seed: int
) -> tuple[dict[str, float], dict]:
    """Train one run; return its mAP on each network and the last line of its log."""
    cached, needed = [], settings.diffusion != "none"
    if needed:
        cached = [stores[source].with_suffix(".safetensors")]
        size = settings.diffusion_image_size
        latents.run(store=stores[source], prior=prior, size=size, out=cached[0], device="cpu")
    inputs = Inputs([stores[source]], encoder, cached, prior if needed else None)
    torch.manual_seed(seed)
    training = Training(settings, inputs, seed=seed, hardware=Hardware("cpu", settings.precision))
    with tempfile.TemporaryDirectory() as folder:
        line = training.fit(Path(folder), "trial", header={})["epoch"]
    encode = partial(embed, training.model.eval().reid.embed, settings=training.settings, device="cpu")
    return mean_ap(encode, stores, settings), line


def told(line: dict) -> str:
    """Word what the last line of a log says of the prior."""
    if "noise_null_low" not in line:
        return ""
    bounds = {name: [line[f"noise_{name}_{end}"] for end in ("low", "high")] for name in ("null", "other")}
    none, other = (f"[{low:+.4f}, {high:+.4f}]" for low, high in bounds.values())
    ratio = line["gradient_noise"] / line["gradient_prototype"]
    return (
        f"; mean largest p {line['p_max']:.2f}, gradient {ratio:.1e} of the prototype loss's; "
        f"own {line['noise_own']:.4f}, none minus own {none}, another's minus none {other}"
    )


if __name__ == "__main__":
    main()
