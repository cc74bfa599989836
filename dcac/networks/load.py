"""Load a network from wherever it lies: the kind of file tells the kind of network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcac.closed import nearest
from dcac.foreign.network_card import PartCard, read_card
from dcac.foreign.weights_card import NETWORK_FILES, load_weights
from dcac.networks.network import Network
from dcac.suites import CONFIG_DIR

HUB = "hf-hub:"  # before the name of a repository, as timm writes it
LAYOUTS = "a trained run (run.json), a timm folder (config.json, model.safetensors), an .onnx file or a .pt2 program"


def load(
    path: str | Path,
    *,
    card: PartCard | Mapping[str, Any] | Path | str | None = None,
    encoder: Path | str | None = None,
    device: str = "cpu",
) -> Network:
    """Load a network that embeds pictures of people.

    Args:
        path: folder of a trained run, timm folder, ONNX file, program of torch.export (.pt2), name of a card in
            config/weights.yaml whose files are in results/weights, or `hf-hub:owner/name` of a timm model.
        card: how it wants its images and which feature it gives, as a mapping or YAML file; None: what lies beside it
            as .yaml, or what it says itself.
        encoder: of a run, the folder of its pre-trained encoder, if that is not in results/weights.
        device: cpu or cuda.

    Raises:
        ValueError: there is nothing of that name, it is no network, or nothing says how it wants its images.
    """
    place = _fetched(str(path)) if str(path).startswith(HUB) else Path(path)
    if not place.exists():
        place, named = _by_name(str(path))
        card = named if card is None else card
    given = read_card(card, _file_within(place))
    return _load(place, given, encoder=None if encoder is None else Path(encoder), device=device)


def _load(place: Path, card: PartCard, *, encoder: Path | None, device: str) -> Network:
    if (place / "run.json").is_file():
        from dcac.networks.trained import load_run

        return load_run(place, card, encoder=encoder, device=device)
    if (place / "config.json").is_file():
        from dcac.networks.timm_folder import load_timm

        return load_timm(place, card, device=device)
    file = _file_within(place)
    if file.suffix == ".onnx":
        from dcac.networks.onnx_file import load_onnx

        return load_onnx(file, card, device=device)
    if file.suffix == ".pt2":
        from dcac.networks.exported_program import load_program

        return load_program(file, card, device=device)
    raise ValueError(f"{place} is no network that can be read; give {LAYOUTS}")


def _file_within(place: Path) -> Path:
    """Return the one network file of a folder; anything else stays as it is."""
    files = sorted(p for p in place.iterdir() if p.suffix in NETWORK_FILES) if place.is_dir() else []
    if len(files) > 1:
        raise ValueError(f"{place} holds {len(files)} networks ({files[0].name}, {files[1].name}); give one of them")
    return files[0] if files else place


def _by_name(name: str) -> tuple[Path, PartCard]:
    cards = load_weights(CONFIG_DIR / "weights.yaml") if (CONFIG_DIR / "weights.yaml").is_file() else {}
    if name not in cards:
        known = [key for key, card in cards.items() if card.kind != "diffusion"]
        raise ValueError(
            f"{name} does not exist{nearest(name, known)}; give {LAYOUTS}, or a card of config/weights.yaml"
        )
    if cards[name].kind == "diffusion":
        raise ValueError(f"'{name}' is a diffusion model, which embeds no pictures; name an encoder or network")
    place = Path("results/weights") / name
    if not (place / "manifest.json").is_file():
        raise ValueError(f"network '{name}' is not here yet; run `snakemake {place}/manifest.json`")
    return place, cards[name].network


def _fetched(name: str) -> Path:
    """Fetch a timm model from the hub, or find it in the hub's own cache."""
    from huggingface_hub import snapshot_download

    repo, _, revision = name.removeprefix(HUB).partition("@")
    try:
        return Path(
            snapshot_download(repo, revision=revision or None, allow_patterns=["config.json", "model.safetensors"])
        )
    except Exception as error:  # the client raises many kinds; each means the same to the user
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"cannot fetch {repo} ({type(error).__name__}: {reason}); correct the name, or give its folder"
        ) from None
