"""What steps take from the words of a command line: cards, settings, files by their kind, the device."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dcac import ending, gpus
from dcac.cli_options import folder_of
from dcac.closed import Closed

if TYPE_CHECKING:  # what a command does not need is not loaded
    from dcac.foreign.weights_card import Weights
    from dcac.suites import Running, Suite, Variant

Recipe = TypeVar("Recipe", bound=Closed)
SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"  # that the launcher of several processes hands on to them
GRACE = 300  # seconds that they then have for a step and a checkpoint


class LearntFrom(NamedTuple):
    """The files of a run's sources."""

    stores: list[Path]  # normalised files
    latents: list[Path]


def parted(files: Sequence[Path]) -> LearntFrom:
    """Tell normalised files and cached latents apart by their suffixes."""
    kinds = (".parquet", ".safetensors")
    return LearntFrom(*([path for path in files if path.suffix == kind] for kind in kinds))


def named_networks(given: Sequence[str] | None) -> dict[str, Path]:
    """Read NAME=FOLDER; a manifest stands for its folder."""
    found: dict[str, Path] = {}
    for text in given or ():
        name, equals, path = text.partition("=")
        if not (name and equals and path) or name in found:
            raise ValueError(
                f"--network {text} is not NAME=FOLDER, each name once; write for example teacher=results/weights/clip"
            )
        found[name] = folder_of(Path(path)) or Path(path)
    return found


def asked_for(**options: object) -> dict[str, Any]:
    """Keep the options that a person gave; the steps know their own defaults."""
    return {name: value for name, value in options.items() if value is not None}


def named_store(name: str) -> Path:
    """Return the normalised file of a data set, given by its code or itself."""
    path = Path(name) if name.endswith(".parquet") else Path("results/data") / f"{name}.parquet"
    if not path.is_file():
        remedy = f"run `snakemake {path}` to make it" if not name.endswith(".parquet") else "correct the path"
        raise ValueError(f"no normalised file {path}; {remedy}")
    return path


def methods_of(suite: "Suite") -> "dict[str, Variant]":
    """Return what may stand in a row of a suite's tables: variants, and the networks among its references."""
    from dcac.foreign.weights_card import load_weights
    from dcac.planning import named_methods
    from dcac.suites import CONFIG_DIR, REFERENCES, load_variants

    foreign = any(name not in REFERENCES for name in suite.references)
    return named_methods(suite, load_variants(), load_weights(CONFIG_DIR / "weights.yaml") if foreign else {})


def weights_card(name: str) -> "Weights":
    """Return the card of a network of config/weights.yaml."""
    from dcac.foreign.weights_card import load_weights
    from dcac.suites import CONFIG_DIR

    cards = load_weights(CONFIG_DIR / "weights.yaml")
    if name not in cards:
        raise ValueError(f"unknown weights '{name}'; config/weights.yaml has: {', '.join(cards)}")
    return cards[name]


def require_variant(config: Path, suite: str, variant: str, sources: str) -> None:
    """Refuse a variant's name for settings that are not its own; names that are not in config/ are the user's own."""
    from dcac.settings import load_settings
    from dcac.suites import CONFIG_DIR, load_suite, load_variants, run_settings

    known = (CONFIG_DIR / "suites" / f"{suite}.yaml").is_file() and variant in load_variants()
    if not known:
        return
    given = load_settings(config).model_dump()
    own = run_settings(load_suite(suite), variant, sources).model_dump()
    differing = [key for key in own if given[key] != own[key]]
    if differing:
        key = differing[0]
        raise ValueError(
            f"{config} says {key} {given[key]!r}, but variant '{variant}' of suite '{suite}' has {own[key]!r} on "
            f"{sources}; give the variant whose settings these are"
        )


def pretraining_of(name: str, kind: "type[Recipe]") -> "Recipe":
    """Return the recipe, of a kind, by which one of the demo's networks is pre-trained."""
    from dcac.demo.recipes import recipe

    card = weights_card(name)
    found = recipe(card.kind, card.pretraining or {})
    if not isinstance(found, kind):
        raise ValueError(f"'{name}' is one of kind {card.kind}; give one of the other kind, or the other command")
    return found


def runtime_of_project() -> "Running":
    """Return `runtime:` as config/config.yaml says; outside of a checkout as it is by default."""
    from dcac.suites import CONFIG_DIR, Running, load_project

    return load_project().runtime if (CONFIG_DIR / "config.yaml").is_file() else Running()


def chosen_device(asked: str, *, count: int = 1) -> str:
    """Choose the device: free GPUs are taken before torch is imported, and a GPU that does not work is an error."""
    if asked == "cpu":
        return asked
    gpus.take(count)
    import torch

    if torch.cuda.is_available():
        return "cuda" if asked == "auto" else asked
    if asked != "auto":
        raise ValueError(f"--device {asked}, but torch finds no CUDA device here; use --device cpu")
    if promised := gpus.promised():
        raise ValueError(
            f"{promised}, but torch {torch.__version__} cannot use it: the driver or the build of torch does not fit; "
            "mend that, or say --device cpu (`device: cpu` in the suite) if it is to compute for so long"
        )
    return "cpu"


def start_processes(device: str, count: int) -> None:
    """Become `count` processes, each with a GPU and its share of the threads, unless a launcher has done it already."""
    if gpus.is_ranked():
        ending.end_with_parent()
        return
    if count == 1 or device == "cpu":
        return
    gpus.take(count)
    gpus.hold_on()
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    launcher += [f"--signals-to-handle={SIGNALS}", f"--shutdown-timeout={GRACE}"]
    words = [sys.executable, "-m", *launcher, "-m", "--", "dcac.cli", *sys.argv[1:]]  # `--log` is not the launcher's
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = {"OMP_NUM_THREADS": str(max(1, int(given) // count))} if given.isdigit() else {}
    os.execve(sys.executable, words, {**os.environ, **threads})
