"""`dcac STEP`: one step per rule, the same word everywhere."""

import logging
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from dcac import cli_workflow, ending
from dcac.allocator import keep_freed_memory
from dcac.cli_data import app as data_app
from dcac.cli_options import Device, Steps, known_device, named_once, once_each, suffixed

app = Steps(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(data_app, name="data")
log = logging.getLogger("dcac")


def _written(suffix: str):
    """Return the option of the one file that a step writes."""
    return typer.Option(callback=suffixed(suffix), help=f"file to write ({suffix})")


Out = Annotated[Path, typer.Option(help="folder to write")]
Store = Annotated[Path, typer.Option(help="normalised file of a data set (.parquet)")]
Targets = Annotated[
    list[Path], typer.Option(callback=named_once, help="normalised file of a target; repeat for several")
]
Encoder = Annotated[Path, typer.Option(help="folder of the pre-trained encoder (timm layout)")]
RunFolder = Annotated[Path, typer.Option(help="folder of a trained run")]
RunConfig = Annotated[Path, typer.Option(help="merged settings of the run (write_config)")]
Sources = Annotated[
    list[Path],
    typer.Option(callback=named_once, help="normalised file of a source; repeat in the order of their codes"),
]
Latents = Annotated[
    list[Path] | None,
    typer.Option(callback=once_each, help="cached latents; repeat in the order of the stores"),
]
Prior = Annotated[
    Path | None, typer.Option(help="folder of the latent diffusion model (diffusers layout); none for the baseline")
]
Metric = Literal["cosine", "euclidean"]
Reranking = Literal["published", "released"]
SuiteName = Annotated[str, typer.Option(help="a file of config/suites")]


@app.command("write_config")
def write_config(
    suite: SuiteName,
    variant: Annotated[str, typer.Option()],
    sources: Annotated[str, typer.Option()],
    out: Annotated[Path, _written(".yaml")],
) -> None:
    """Write the merged settings of one run."""
    from dcac.provenance import atomic
    from dcac.settings import dump_settings
    from dcac.suites import load_suite, run_settings

    with atomic(out) as temporary:
        temporary.write_text(dump_settings(run_settings(load_suite(suite), variant, sources)), encoding="utf-8")


@app.command("pretrain_encoder")
def pretrain_encoder(name: str, store: Store, out: Out, device: Device = "cpu") -> None:
    """Pre-train the demo's encoder on captions of the broad synthetic domain."""
    from dcac.demo import pretrain_encoder

    pretrain_encoder.run(store=store, settings=_recipe(name), out=out, device=_device(device))


@app.command("pretrain_diffusion")
def pretrain_diffusion(name: str, store: Store, out: Out, device: Device = "cpu") -> None:
    """Pre-train the demo's latent diffusion model on the broad synthetic domain."""
    from dcac.demo import pretrain_diffusion

    pretrain_diffusion.run(store=store, settings=_recipe(name), out=out, device=_device(device))


@app.command("weights")
def weights(name: str, out: Out) -> None:
    """Fetch pre-trained networks named in config/weights.yaml, once and checked."""
    from dcac.foreign import weights

    weights.run(name=name, card=_weights(name), out=out)


@app.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(help="released checkpoint (.pth), or folder of a trained run")],
    out: Annotated[Path, typer.Option(help="run folder to write, or released-style checkpoint (.pth)")],
    config: Annotated[Path | None, typer.Option(help="merged settings of the run to be; for a checkpoint")] = None,
    prior: Annotated[
        Path | None, typer.Option(help="folder of the latent diffusion model the run started from; for a run")
    ] = None,
) -> None:
    """Turn a released checkpoint into a run folder that `extract` reads, or a run into a released-style checkpoint."""
    from dcac.foreign import convert

    if source.is_dir() and out.suffix != ".pth":
        raise typer.BadParameter(f"--out {out} does not end in .pth, as a released-style checkpoint does")
    convert.run(source=source, out=out, config=config, prior=prior)


@app.command("latents")
def latents(
    store: Store,
    prior: Annotated[Path, typer.Option(help="folder of the latent diffusion model (diffusers layout)")],
    size: Annotated[int, typer.Option(min=1, help="pixels of the square diffusion view")],
    out: Annotated[Path, _written(".safetensors")],
    device: Device = "auto",
) -> None:
    """Cache the autoencoder's posterior moments of every image of a data set."""
    from dcac.model import latents

    latents.run(store=store, prior=prior, size=size, out=out, device=_device(device))


@app.command("train")
def train(
    config: RunConfig,
    store: Sources,
    encoder: Encoder,
    seed: Annotated[int, typer.Option(min=0, help="names every random draw")],
    out: Out,
    latents: Latents = None,
    prior: Prior = None,
    device: Device = "auto",
) -> None:
    """Train one run; the same command continues an interrupted one.

    Memory and speed are switched under `runtime:` of config/config.yaml; under `accelerate launch` or `torchrun` several
    processes share each batch.
    """
    from dcac.training import train

    train.run(
        config=config,
        stores=store,
        latents=latents or [],
        encoder=encoder,
        prior=prior,
        seed=seed,
        out=out,
        device=_device(device),
        runtime=_runtime(),
    )


@app.command("overhead")
def overhead(
    config: RunConfig,
    store: Sources,
    encoder: Encoder,
    variant: Annotated[str, typer.Option()],
    sources: Annotated[str, typer.Option()],
    out: Annotated[Path, _written(".json")],
    latents: Latents = None,
    prior: Prior = None,
    steps: Annotated[int, typer.Option(min=1, help="training steps to time, after three that warm up")] = 20,
    device: Device = "auto",
) -> None:
    """Measure what a training step costs: time, peak memory, parameters; under `runtime:` of config/config.yaml."""
    from dcac.training import overhead

    given = "+".join(path.stem for path in store)
    if sources != given:
        raise ValueError(f"--sources {sources}, but the normalised files given are those of {given}; give either's")
    overhead.run(
        config=config,
        stores=store,
        latents=latents or [],
        encoder=encoder,
        prior=prior,
        variant=variant,
        sources=sources,
        steps=steps,
        out=out,
        device=_device(device),
        runtime=_runtime(),
    )


@app.command("extract")
def extract(
    run: RunFolder,
    config: RunConfig,
    encoder: Encoder,
    store: Targets,
    suite: SuiteName,
    variant: Annotated[str, typer.Option()],
    sources: Annotated[str, typer.Option()],
    seed: Annotated[int, typer.Option(min=0)],
    out: Annotated[Path, typer.Option(help="folder of the feature files, one a target")],
    device: Device = "auto",
) -> None:
    """Extract the test features of a run on its targets."""
    from dcac.features import extract

    names = {"suite": suite, "variant": variant, "sources": sources, "seed": seed}
    _require_variant(config, suite, variant, sources)
    extract.run(
        run_folder=run, config=config, encoder=encoder, stores=store, names=names, out=out, device=_device(device)
    )


@app.command("samples")
def samples(
    run: RunFolder,
    config: RunConfig,
    encoder: Encoder,
    prior: Annotated[Path, typer.Option(help="folder of the latent diffusion model the run started from")],
    store: Sources,
    latents: Annotated[
        list[Path],
        typer.Option(callback=once_each, help="cached latents; repeat in the order of the stores"),
    ],
    out: Annotated[
        Path, typer.Option(callback=suffixed(".npz"), help="pictures and their errors (.npz), for `dcac figure`")
    ],
    count: Annotated[int, typer.Option(help="training images to denoise, of different people")] = 6,
    device: Device = "auto",
) -> None:
    """Denoise training images of a run under their own, a uniform and another image's condition."""
    from dcac.inspection import samples

    samples.run(
        run_folder=run,
        config=config,
        encoder=encoder,
        prior=prior,
        stores=store,
        latents=latents,
        count=count,
        out=out,
        device=_device(device),
    )


@app.command("correlation")
def correlation(
    run: RunFolder,
    config: RunConfig,
    encoder: Encoder,
    store: Sources,
    out: Annotated[
        Path, typer.Option(callback=suffixed(".npz"), help="class correlation of look-alikes (.npz), for `dcac figure`")
    ],
    people: Annotated[int, typer.Option(help="size of the group of look-alikes")] = 8,
    device: Device = "auto",
) -> None:
    """Find the training people whom a run takes for each other most, by its class correlation p."""
    from dcac.inspection import correlation

    correlation.run(
        run_folder=run,
        config=config,
        encoder=encoder,
        stores=store,
        people=people,
        out=out,
        device=_device(device),
    )


@app.command("reference")
def reference(
    kind: Annotated[str, typer.Argument(help="chance, histogram or pretrained")],
    encoder: Encoder,
    store: Targets,
    suite: SuiteName,
    out: Annotated[Path, typer.Option(help="folder of the feature files, one a target")],
    device: Device = "auto",
) -> None:
    """Extract reference features: chance, colour histogram, or the pre-trained encoder as it comes."""
    from dcac.features import reference
    from dcac.suites import NO_SOURCES, load_suite, run_settings

    chosen = load_suite(suite)
    settings = run_settings(chosen, chosen.variants[0], chosen.source_sets[0])
    names = {"suite": suite, "variant": kind, "sources": NO_SOURCES, "seed": 0}
    reference.run(
        reference=kind, settings=settings, encoder=encoder, stores=store, names=names, out=out, device=_device(device)
    )


@app.command("score")
def score(
    features: Annotated[Path, typer.Option(help="feature file (.npz)")],
    out: Annotated[
        Path,
        typer.Option(callback=suffixed(".json"), help="score file (.json); per-query AP goes beside it as Parquet"),
    ],
    against: Annotated[Path | None, typer.Option(help="another run's feature file, for a paired test")] = None,
    metric: Annotated[Metric, typer.Option(help="distance")] = "cosine",
    max_rank: Annotated[int, typer.Option(min=1, help="length of the CMC curve")] = 50,
    rerank: Annotated[Reranking | None, typer.Option(help="also score the re-ranked gallery")] = None,
    device: Annotated[
        str | None, typer.Option(callback=known_device, help="cuda to score on a GPU; default: NumPy")
    ] = None,
) -> None:
    """Score a feature file: CMC, mAP, mINP, intervals, and a paired test."""
    from dcac.evaluation import score
    from dcac.terminal import terminal_bar

    record = score.run(
        features,
        out,
        against=against,
        rerank=rerank,
        metric=metric,
        max_rank=max_rank,
        device=None if device is None else _device(device),
        progress=terminal_bar("score"),
    )
    typer.echo(score.table_line(record))


@app.command("search")
def search(
    pictures: Annotated[list[Path], typer.Argument(help="image files to look for")],
    gallery: Annotated[Path, typer.Option(help="feature file whose gallery is searched (.npz)")],
    run: Annotated[Path, typer.Option(help="folder of the trained run that made the feature file")],
    config: Annotated[Path, typer.Option(help="merged settings of that run")],
    encoder: Encoder,
    out: Annotated[Path, typer.Option(callback=suffixed(".csv"), help="table of the nearest images (.csv)")],
    store: Annotated[
        Path | None, typer.Option(help="normalised file of the gallery, for a picture strip (.png)")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="images to find for each picture")] = 10,
    device: Device = "auto",
) -> None:
    """Find the nearest gallery images of new pictures."""
    from dcac.evaluation import search
    from dcac.features import extract

    features = extract.embed_pictures(pictures, run_folder=run, config=config, encoder=encoder, device=_device(device))
    table = search.run(gallery=gallery, pictures=pictures, features=features, out=out, store=store, count=count)
    typer.echo(table.to_string(index=False))


@app.command("records")
def records(
    scores: Annotated[list[Path], typer.Argument(callback=once_each)],
    out: Annotated[Path, _written(".csv")],
) -> None:
    """Collect score files into one record file."""
    from dcac.reporting import records

    records.run(scores=scores, out=out)


@app.command("table")
def table(
    name: str,
    suite: SuiteName,
    records: Annotated[Path, typer.Option(help="records of the table (.csv)")],
    published: Annotated[Path, typer.Option(help="other methods' numbers (.csv)")],
    out: Annotated[list[Path], typer.Option(callback=suffixed(".md", ".tex", ".csv"), help="outputs: .md, .tex, .csv")],
) -> None:
    """Write one table as Markdown, LaTeX and CSV."""
    from dcac.reporting import table
    from dcac.suites import load_suite, load_variants

    table.run(
        name=name,
        suite=load_suite(suite),
        variants=load_variants(),
        records=records,
        published=published,
        out=out,
    )


@app.command("overhead_table")
def overhead_table(
    name: str,
    suite: SuiteName,
    inputs: Annotated[
        list[Path], typer.Argument(callback=once_each, help="measurements of the table's variants (.json)")
    ],
    out: Annotated[list[Path], typer.Option(callback=suffixed(".md", ".tex", ".csv"), help="outputs: .md, .tex, .csv")],
) -> None:
    """Write one table of what training costs as Markdown, LaTeX and CSV."""
    from dcac.reporting import overhead_table
    from dcac.suites import load_suite, load_variants

    overhead_table.run(name=name, suite=load_suite(suite), variants=load_variants(), inputs=inputs, out=out)


@app.command("figure")
def figure(
    name: str,
    suite: SuiteName,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            callback=once_each, help="what its kind is drawn from: records, logs, samples, correlation, features"
        ),
    ],
    out: Annotated[list[Path], typer.Option(callback=suffixed(".pdf", ".png"), help="outputs: .pdf, .png")],
) -> None:
    """Draw one figure as PDF and PNG."""
    from dcac.reporting import figure
    from dcac.suites import load_suite, load_variants

    figure.run(name=name, suite=load_suite(suite), variants=load_variants(), inputs=inputs, out=out)


@app.command("metrics")
def metrics(
    records: Annotated[list[Path], typer.Argument(callback=named_once)],
    out: Annotated[Path, _written(".json")],
) -> None:
    """Write the headline numbers that `dvc metrics show` prints."""
    from dcac.reporting import metrics

    metrics.run(records=records, out=out)


@app.command("schemas")
def schemas(
    out: Annotated[Path, typer.Option(help="folder of the schemas, one for each kind of file")] = Path(
        "config/schemas"
    ),
) -> None:
    """Write the JSON schemas that editors complete and check the configuration by."""
    from dcac import schemas

    schemas.run(out)


for command in (cli_workflow.fingerprints, cli_workflow.why, cli_workflow.accept, cli_workflow.tidy):
    app.command(command.__name__)(command)


def main() -> None:
    """Run a step; a user's mistake ends in one clear sentence, not in a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for noisy in ("faiss", "httpx", "huggingface_hub", "torch"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    keep_freed_memory()
    started = time.perf_counter()
    code = ending.run(app)
    if code is None:
        log.info("done in %.1f s", time.perf_counter() - started)
    sys.exit(code or 0)


def _weights(name: str):
    from dcac.foreign.weights_card import load_weights
    from dcac.suites import CONFIG_DIR

    cards = load_weights(CONFIG_DIR / "weights.yaml")
    if name not in cards:
        raise ValueError(f"unknown weights '{name}'; config/weights.yaml has: {', '.join(cards)}")
    return cards[name]


def _require_variant(config: Path, suite: str, variant: str, sources: str) -> None:
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


def _recipe(name: str):
    from dcac.demo.recipes import recipe

    card = _weights(name)
    return recipe(card.kind, card.pretraining or {})


def _runtime():
    from dcac.settings import Runtime
    from dcac.suites import CONFIG_DIR, load_project

    return load_project().runtime if (CONFIG_DIR / "config.yaml").is_file() else Runtime()


def _device(asked: str) -> str:
    if asked == "cpu":
        return asked
    import torch

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"--device {asked}, but this machine has no CUDA device; use --device cpu")
    return asked


if __name__ == "__main__":
    main()
