"""Domain-generalisable person re-identification, a step at a time; Snakemake calls the same steps by the same words."""

import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dcac import cli_workflow, ending, gpus, terminal
from dcac.allocator import keep_freed_memory
from dcac.cli_data import app as data_app
from dcac.cli_options import (
    Device,
    Panels,
    Steps,
    folder_of,
    known_device,
    named_once,
    once_each,
    stores_and_latents,
    suffixed,
)

app = Steps(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, cls=Panels)
DATA, NETWORKS, TRAIN, SCORE, INSIDE, REPORT, WORKFLOW = Panels.ORDER
app.add_typer(data_app, name="data", rich_help_panel=DATA)
log = logging.getLogger("dcac")


def _written(suffix: str):
    """Return the option of the one file that a step writes."""
    return typer.Option(callback=suffixed(suffix), help=f"file to write ({suffix})")


NetworkName = Annotated[str, typer.Argument(help="a key of config/weights.yaml")]
Network = Annotated[Path, typer.Option(callback=folder_of, help="network to write: its folder, or its manifest.json")]
Run = Annotated[Path, typer.Option("--run", callback=folder_of, help="trained run: its folder, or its run.json")]
RunConfig = Annotated[Path, typer.Option(help="merged settings of the run (write_config)")]
Encoder = Annotated[
    Path, typer.Option(callback=folder_of, help="pre-trained encoder (timm layout): its folder, or its manifest.json")
]
PRIOR = "latent diffusion model (diffusers layout): its folder, or its manifest.json"
Prior = Annotated[Path, typer.Option(callback=folder_of, help=PRIOR)]
PriorOfRun = Annotated[Path | None, typer.Option(callback=folder_of, help=f"{PRIOR}; none for the baseline")]
AnyNetwork = Annotated[
    str,
    typer.Argument(
        help="a trained run, a timm folder, an .onnx file, a .pt2 program of torch.export, a key of config/weights.yaml, or "
        "hf-hub:owner/name"
    ),
]
NetworkCardFile = Annotated[
    Path | None, typer.Option(help="how the network wants its images (.yaml); default: what it or its card says")
]
EncoderOfRun = Annotated[
    Path | None,
    typer.Option(
        callback=folder_of, help="of a run: its pre-trained encoder, if that is not in results/weights beside the run"
    ),
]
Store = Annotated[Path, typer.Argument(help="normalised file of a data set (.parquet)")]
Targets = Annotated[list[Path], typer.Argument(callback=named_once, help="normalised files of the targets (.parquet)")]
Sources = Annotated[
    list[Path], typer.Argument(callback=named_once, help="normalised files of the sources (.parquet), in their order")
]
LearntFrom = Annotated[
    list[Path],
    typer.Argument(
        callback=stores_and_latents,
        help="normalised files of the sources (.parquet) and, for a run with a prior, their cached latents "
        "(.safetensors), both in the order of the sources",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="names every random draw of the run")]
VariantName = Annotated[str, typer.Option(help="a key of config/variants.yaml")]
SourceNames = Annotated[str, typer.Option(help="codes of the data sets trained on, joined with +")]
SuiteName = Annotated[str, typer.Option(help="a file of config/suites")]
Metric = Literal["cosine", "euclidean", "both", "card"]
Reranking = Literal["published", "released"]
TableName = Annotated[str, typer.Argument(help="a table of the suite")]
TABLE_FILES = (".md", ".tex", ".csv", ".json")
TableFiles = Annotated[
    list[Path],
    typer.Option(callback=suffixed(*TABLE_FILES), help="outputs: .md, .tex, .csv, and .json for what it was made from"),
]


@app.callback()
def common(
    log: Annotated[
        Path | None,
        typer.Option(
            help="append everything said to this file; an error is also shown here, and the files of earlier attempts stay "
            "in the folder .attempts beside it"
        ),
    ] = None,
) -> None:
    """Domain-generalisable person re-identification, a step at a time; Snakemake calls the same steps by the same words."""
    if log is not None:
        terminal.speak_into(log)


@app.command("write_config", rich_help_panel=TRAIN)
def write_config(
    suite: SuiteName,
    variant: VariantName,
    sources: SourceNames,
    out: Annotated[Path, _written(".yaml")],
) -> None:
    """Write the merged settings of one run.

    Example: dcac write_config --suite demo --variant dcac --sources street --out run.yaml
    """
    from dcac.provenance import atomic
    from dcac.settings import dump_settings
    from dcac.suites import load_suite, run_settings

    with atomic(out) as temporary:
        temporary.write_text(dump_settings(run_settings(load_suite(suite), variant, sources)), encoding="utf-8")


@app.command("pretrain_encoder", rich_help_panel=NETWORKS)
def pretrain_encoder(name: NetworkName, store: Store, out: Network, device: Device = "cpu") -> None:
    """Pre-train the demo's encoder on captions of the broad synthetic domain.

    Example: dcac pretrain_encoder demo-encoder results/data/broad.parquet --out results/weights/demo-encoder
    """
    from dcac.demo import pretrain_encoder

    pretrain_encoder.run(store=store, settings=_recipe(name), out=out, device=_device(device))


@app.command("pretrain_diffusion", rich_help_panel=NETWORKS)
def pretrain_diffusion(name: NetworkName, store: Store, out: Network, device: Device = "cpu") -> None:
    """Pre-train a small latent diffusion model, the demo's; on a set without captions an unconditional one.

    Example: dcac pretrain_diffusion demo-prior results/data/broad.parquet --out results/weights/demo-prior
    """
    from dcac.demo import pretrain_diffusion

    pretrain_diffusion.run(store=store, settings=_recipe(name), out=out, device=_device(device))


@app.command("weights", rich_help_panel=NETWORKS)
def weights(name: NetworkName, out: Network) -> None:
    """Fetch a pre-trained network named in config/weights.yaml, once and checked.

    Example: dcac weights clip-vit-b16 --out results/weights/clip-vit-b16
    """
    from dcac.foreign import network_files, weights

    card = _weights(name)
    fetch = network_files.run if card.kind == "network" else weights.run
    fetch(name=name, card=card, out=out)


@app.command("convert", rich_help_panel=NETWORKS)
def convert(
    source: Annotated[Path, typer.Argument(help="released checkpoint (.pth), or folder of a trained run")],
    out: Annotated[Path, typer.Option(help="run folder to write, or released-style checkpoint (.pth)")],
    config: Annotated[Path | None, typer.Option(help="merged settings of the run to be; for a checkpoint")] = None,
    prior: Annotated[
        Path | None,
        typer.Option(
            callback=folder_of, help="latent diffusion model the run started from (folder or manifest); for a run"
        ),
    ] = None,
) -> None:
    """Turn a released checkpoint into a run folder that `extract` reads, or a run into a released-style checkpoint.

    Example: dcac convert released.pth --config run.yaml --out results/mine/runs/dcac/MA/seed1
    """
    from dcac.foreign import convert

    if source.is_dir() and out.suffix != ".pth":
        raise typer.BadParameter(f"--out {out} does not end in .pth, as a released-style checkpoint does")
    convert.run(source=source, out=out, config=config, prior=prior)


@app.command("latents", rich_help_panel=TRAIN)
def latents(
    store: Store,
    prior: Prior,
    size: Annotated[int, typer.Option(min=1, help="pixels of the square diffusion view")],
    out: Annotated[Path, _written(".safetensors")],
    device: Device = "auto",
) -> None:
    """Cache the autoencoder's posterior moments of every image of a data set.

    Example: dcac latents results/data/MA.parquet --prior results/weights/sd15 --size 256 --out MA.safetensors
    """
    from dcac.model import latents

    latents.run(store=store, prior=prior, size=size, out=out, device=_device(device))


@app.command("train", rich_help_panel=TRAIN)
def train(
    learnt_from: LearntFrom,
    config: RunConfig,
    encoder: Encoder,
    seed: Seed,
    out: Annotated[Path, typer.Option(callback=folder_of, help="run to write: its folder, or its run.json")],
    prior: PriorOfRun = None,
    device: Device = "auto",
) -> None:
    """Train one run; the same command continues an interrupted one.

    Memory and speed are switched under `runtime:` of config/config.yaml; `gpus_per_training: 4` there makes four processes
    share each batch, a free GPU each.

    Example: dcac train MA.parquet MA.safetensors --config run.yaml --encoder results/weights/clip-vit-b16 --prior
    results/weights/sd15 --seed 1 --out runs/dcac/MA/seed1
    """
    runtime = _runtime()
    _start_processes(device, runtime.gpus_per_training)
    from dcac.training import train

    train.run(
        config=config,
        **_parted(learnt_from),
        encoder=encoder,
        prior=prior,
        seed=seed,
        out=out,
        device=_device(device),
        runtime=runtime,
    )


@app.command("overhead", rich_help_panel=TRAIN)
def overhead(
    learnt_from: LearntFrom,
    config: RunConfig,
    encoder: Encoder,
    variant: VariantName,
    sources: SourceNames,
    out: Annotated[Path, _written(".json")],
    prior: PriorOfRun = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="training steps to time, after three that warm up; default: 20")
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure what a training step costs: time, peak memory, parameters; under `runtime:` of config/config.yaml.

    Example: dcac overhead MA.parquet --config run.yaml --encoder results/weights/clip-vit-b16 --variant baseline --sources
    MA --out MA.json
    """
    from dcac.training import overhead

    parts = _parted(learnt_from)
    given = "+".join(path.stem for path in parts["stores"])
    if sources != given:
        raise ValueError(f"--sources {sources}, but the normalised files given are those of {given}; give either's")
    overhead.run(
        config=config,
        **parts,
        encoder=encoder,
        prior=prior,
        variant=variant,
        sources=sources,
        out=out,
        **_asked_for(steps=steps),
        device=_device(device),
        runtime=_runtime(),
    )


@app.command("extract", rich_help_panel=SCORE)
def extract(
    stores: Targets,
    run: Run,
    config: RunConfig,
    encoder: Encoder,
    suite: SuiteName,
    variant: VariantName,
    sources: SourceNames,
    seed: Seed,
    out: Annotated[Path, typer.Option(help="folder of the feature files, one a target")],
    device: Device = "auto",
) -> None:
    """Extract the test features of a run on its targets.

    Example: dcac extract D.parquet MS.parquet --run runs/dcac/MA/seed1 --config run.yaml --encoder
    results/weights/clip-vit-b16 --suite paper --variant dcac --sources MA --seed 1 --out features
    """
    from dcac.features import extract

    names = {"suite": suite, "variant": variant, "sources": sources, "seed": seed}
    _require_variant(config, suite, variant, sources)
    extract.run(
        run_folder=run, config=config, encoder=encoder, stores=stores, names=names, out=out, device=_device(device)
    )


@app.command("samples", rich_help_panel=INSIDE)
def samples(
    learnt_from: LearntFrom,
    run: Run,
    config: RunConfig,
    encoder: Encoder,
    prior: Prior,
    out: Annotated[
        Path, typer.Option(callback=suffixed(".npz"), help="pictures and their errors (.npz), for `dcac figure`")
    ],
    count: Annotated[
        int | None, typer.Option(help="training images to denoise, of different people; default: 6")
    ] = None,
    device: Device = "auto",
) -> None:
    """Denoise training images of a run under their own, a uniform and another image's condition.

    Example: dcac samples MA.parquet MA.safetensors --run runs/dcac/MA/seed1 --config run.yaml --encoder
    results/weights/clip-vit-b16 --prior results/weights/sd15 --out seed1.npz
    """
    from dcac.inspection import samples

    samples.run(
        run_folder=run,
        config=config,
        encoder=encoder,
        prior=prior,
        **_parted(learnt_from),
        out=out,
        **_asked_for(count=count),
        device=_device(device),
    )


@app.command("correlation", rich_help_panel=INSIDE)
def correlation(
    stores: Sources,
    run: Run,
    config: RunConfig,
    encoder: Encoder,
    out: Annotated[
        Path, typer.Option(callback=suffixed(".npz"), help="class correlation of look-alikes (.npz), for `dcac figure`")
    ],
    people: Annotated[int | None, typer.Option(help="size of the group of look-alikes; default: 8")] = None,
    device: Device = "auto",
) -> None:
    """Find the training people whom a run takes for each other most, by its class correlation p.

    Example: dcac correlation MA.parquet --run runs/dcac/MA/seed1 --config run.yaml --encoder
    results/weights/clip-vit-b16 --out seed1.npz
    """
    from dcac.inspection import correlation

    correlation.run(
        run_folder=run,
        config=config,
        encoder=encoder,
        stores=stores,
        out=out,
        device=_device(device),
        **_asked_for(people=people),
    )


@app.command("attention", rich_help_panel=INSIDE)
def attention(
    store: Store,
    run: Run,
    config: RunConfig,
    encoder: Encoder,
    out: Annotated[Path, typer.Option(callback=suffixed(".npz"), help="maps (.npz), for `dcac figure`")],
    count: Annotated[
        int | None, typer.Option(min=1, help="people whose first query image is mapped; default: 6")
    ] = None,
    device: Device = "auto",
) -> None:
    """Map where a run's encoder looks in pictures of a target: attention rollout, or strength of activations.

    Example: dcac attention D.parquet --run runs/dcac/MA/seed1 --config run.yaml --encoder results/weights/clip-vit-b16
    --out maps.npz
    """
    from dcac.inspection import attention

    attention.run(
        run_folder=run,
        config=config,
        encoder=encoder,
        store=store,
        out=out,
        device=_device(device),
        **_asked_for(count=count),
    )


@app.command("reference", rich_help_panel=SCORE)
def reference(
    kind: Annotated[str, typer.Argument(help="chance, histogram or pretrained")],
    stores: Targets,
    encoder: Encoder,
    suite: SuiteName,
    out: Annotated[Path, typer.Option(help="folder of the feature files, one a target")],
    device: Device = "auto",
) -> None:
    """Extract reference features: chance, colour histogram, or the pre-trained encoder as it comes.

    Example: dcac reference pretrained D.parquet --encoder results/weights/clip-vit-b16 --suite paper --out features
    """
    from dcac.features import reference
    from dcac.suites import NO_SOURCES, first_variant, load_suite, run_settings

    chosen = load_suite(suite)
    settings = run_settings(chosen, first_variant(chosen), chosen.source_sets[0])
    names = {"suite": suite, "variant": kind, "sources": NO_SOURCES, "seed": 0}
    reference.run(
        reference=kind, settings=settings, encoder=encoder, stores=stores, names=names, out=out, device=_device(device)
    )


@app.command("embed", rich_help_panel=SCORE)
def embed(
    name: NetworkName,
    stores: Targets,
    suite: SuiteName,
    sources: Annotated[str, typer.Option(help="codes of the data sets it was trained on, joined with +; or none")],
    out: Annotated[Path, typer.Option(help="folder of the feature files, one a target")],
    device: Device = "auto",
) -> None:
    """Embed the test images of targets with a network of a card, as a reference of a suite.

    Example: dcac embed clip-vit-b16 MA.parquet D.parquet --suite networks --sources none --out features
    """
    from dcac.networks import embed
    from dcac.networks.load import load

    network = load(Path("results/weights") / name, card=_weights(name).network, device=_device(device))
    names = {"suite": suite, "variant": name, "sources": sources, "seed": 0}
    embed.run(network=network, stores=stores, names=names, out=out)


@app.command("evaluate", rich_help_panel=SCORE)
def evaluate(
    network: AnyNetwork,
    target: Annotated[
        list[str],
        typer.Option(help="code of a data set in results/data, or a normalised file (.parquet); repeat for several"),
    ],
    card: NetworkCardFile = None,
    encoder: EncoderOfRun = None,
    metric: Annotated[
        Metric, typer.Option(help="distance; card: the one that the network's card fixes, both where it fixes none")
    ] = "card",
    out: Annotated[
        Path | None, typer.Option(help="folder of feature and score files; default: results/evaluate/NETWORK")
    ] = None,
    device: Device = "auto",
) -> None:
    """Score any network on any targets, without training: one line a target, with its 95 % interval.

    Example: dcac evaluate model.onnx --card model.yaml --target MA --target D
    """
    from dcac.evaluation import evaluate
    from dcac.networks.load import load

    stores = named_once([_store(name) for name in target])
    chosen = load(network, card=card, encoder=encoder, device=_device(device))
    folder = out or Path("results/evaluate") / evaluate.word_of(chosen.name)
    options = {"metric": metric, "progress": terminal.terminal_bar("score")}
    for code, record in evaluate.run(network=chosen, stores=stores, out=folder, **options):
        for line in evaluate.lines(code, record, chosen):
            typer.echo(line)


@app.command("export", rich_help_panel=NETWORKS)
def export(
    run: Annotated[Path, typer.Argument(callback=folder_of, help="trained run: its folder, or its run.json")],
    out: Annotated[
        Path, typer.Option(help="file to write, .onnx or .pt2 (torch.export), or a folder in the layout of timm's hub")
    ],
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            "--score", callback=once_each, help="score files of the run (.json), for the model card; repeat for several"
        ),
    ] = None,
    encoder: EncoderOfRun = None,
) -> None:
    """Write a trained run as a network that others use without dcac; what is written is checked against the run.

    Example: dcac export results/paper/runs/dcac/MA/seed1 --out dcac-market.onnx
    """
    from dcac.networks import export

    export.run(run_folder=run, out=out, scores=scores or [], encoder=encoder)


@app.command("score", rich_help_panel=SCORE)
def score(
    features: Annotated[Path, typer.Argument(help="feature file (.npz)")],
    out: Annotated[
        Path,
        typer.Option(callback=suffixed(".json"), help="score file (.json); per-query AP goes beside it as Parquet"),
    ],
    against: Annotated[
        Path | None, typer.Option(help="another run's feature file, of the same sources and seed, for a paired test")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="data set of a feature file whose meta names none; VIPeR, PRID, GRID and iLIDS are scored on their ten "
            "shipped splits, `other` in one ranking"
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="normalised file of the target (.parquet), to recognise the data set by its images"),
    ] = None,
    metric: Annotated[
        Metric,
        typer.Option(
            help="distance; both: cosine and, apart from it, Euclidean; card: what the card of the features' network fixes, else both"
        ),
    ] = "cosine",
    max_rank: Annotated[int | None, typer.Option(min=1, help="length of the CMC curve; default: 50")] = None,
    rerank: Annotated[Reranking | None, typer.Option(help="also score the re-ranked gallery")] = None,
    extra_distances: Annotated[
        Path | None,
        typer.Option(
            help="distances of others for some pairs (.npz: query, gallery, distance), mixed in before re-ranking; other pairs "
            "keep theirs",
        ),
    ] = None,
    extra_weight: Annotated[
        float | None, typer.Option(min=0, max=1, help="share of the extra distances: (1 - W) * ours + W * theirs")
    ] = None,
    device: Annotated[
        str | None, typer.Option(callback=known_device, help="cuda to score on a GPU; default: NumPy")
    ] = None,
) -> None:
    """Score a feature file: CMC, mAP, mINP, intervals, and a paired test.

    Example: dcac score dcac.npz --against baseline.npz --out dcac.json
    """
    from dcac.evaluation import score

    record = score.run(
        features,
        out,
        against=against,
        dataset=dataset,
        store=store,
        rerank=rerank,
        metric=metric,
        extra_distances=extra_distances,
        extra_weight=extra_weight,
        device=None if device is None else _device(device),
        progress=terminal.terminal_bar("score"),
        **_asked_for(max_rank=max_rank),
    )
    typer.echo(score.table_line(record))
    if "other_metric" in record:
        typer.echo(f"Euclidean: {score.other_line(record)}")


@app.command("search", rich_help_panel=INSIDE)
def search(
    pictures: Annotated[list[Path], typer.Argument(help="image files to look for")],
    gallery: Annotated[Path, typer.Option(help="feature file whose gallery is searched (.npz)")],
    network: Annotated[
        str,
        typer.Option(
            "--network",
            "--run",
            help="network that made the feature file: whatever `dcac evaluate` takes, such as a trained run",
        ),
    ],
    out: Annotated[Path, typer.Option(callback=suffixed(".csv"), help="table of the nearest images (.csv)")],
    store: Annotated[
        Path | None, typer.Option(help="normalised file of the gallery, for a picture strip (.png)")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="images to find for each picture")] = 10,
    card: NetworkCardFile = None,
    encoder: EncoderOfRun = None,
    device: Device = "auto",
) -> None:
    """Find the nearest gallery images of new pictures.

    Example: dcac search a.jpg b.jpg --gallery D.npz --network results/paper/runs/dcac/MA/seed1 --out nearest.csv
    """
    from dcac.evaluation import search
    from dcac.features.feature_file import read_features
    from dcac.networks.load import load
    from dcac.networks.made_by import require_made_by

    loaded = load(network, card=card, encoder=encoder, device=_device(device))
    require_made_by(read_features(gallery).meta, gallery, loaded)
    metric = loaded.card.metric or "cosine"
    features = loaded.embed(pictures, unit_length=metric == "cosine")
    table = search.run(
        gallery=gallery, pictures=pictures, features=features, out=out, store=store, count=count, metric=metric
    )
    typer.echo(table.to_string(index=False))


@app.command("records", rich_help_panel=REPORT)
def records(
    scores: Annotated[list[Path], typer.Argument(callback=once_each, help="score files (.json)")],
    out: Annotated[Path, _written(".csv")],
) -> None:
    """Collect score files into one record file.

    Example: dcac records scores/*/MA/seed*/D.json --out single.csv
    """
    from dcac.reporting import records

    records.run(scores=scores, out=out)


@app.command("table", rich_help_panel=REPORT)
def table(
    name: TableName,
    records: Annotated[Path, typer.Argument(help="records of the table (.csv)")],
    suite: SuiteName,
    published: Annotated[Path, typer.Option(help="other methods' numbers (.csv)")],
    out: TableFiles,
    accepted: Annotated[
        list[Path] | None,
        typer.Option(callback=once_each, help="report (run.json) of a run accepted by hand, for the footnote; repeat"),
    ] = None,
) -> None:
    """Write one table as Markdown, LaTeX and CSV.

    Example: dcac table dg_single single.csv --suite paper --published config/published.csv --out dg_single.md
    """
    from dcac.reporting import table
    from dcac.suites import load_suite

    chosen = load_suite(suite)
    table.run(
        name=name,
        suite=chosen,
        variants=_methods(chosen),
        records=records,
        published=published,
        out=out,
        accepted=accepted or [],
    )


@app.command("overhead_table", rich_help_panel=REPORT)
def overhead_table(
    name: TableName,
    inputs: Annotated[
        list[Path], typer.Argument(callback=once_each, help="measurements of the table's variants (.json)")
    ],
    suite: SuiteName,
    out: TableFiles,
) -> None:
    """Write one table of what training costs as Markdown, LaTeX and CSV.

    Example: dcac overhead_table overhead overhead/*/MA.json --suite paper --out overhead.md
    """
    from dcac.reporting import overhead_table
    from dcac.suites import load_suite

    chosen = load_suite(suite)
    overhead_table.run(name=name, suite=chosen, variants=_methods(chosen), inputs=inputs, out=out)


@app.command("figure", rich_help_panel=REPORT)
def figure(
    name: Annotated[str, typer.Argument(help="a figure of the suite")],
    inputs: Annotated[
        list[Path],
        typer.Argument(
            callback=once_each, help="what its kind is drawn from: records, logs, samples, correlation, features"
        ),
    ],
    suite: SuiteName,
    out: Annotated[
        list[Path],
        typer.Option(
            callback=suffixed(".pdf", ".png", ".json"), help="outputs: .pdf, .png, and .json for what it was drawn from"
        ),
    ],
) -> None:
    """Draw one figure as PDF and PNG.

    Example: dcac figure cmc single.csv --suite paper --out cmc.pdf
    """
    from dcac.reporting import figure
    from dcac.suites import load_suite

    chosen = load_suite(suite)
    figure.run(name=name, suite=chosen, variants=_methods(chosen), inputs=inputs, out=out)


@app.command("metrics", rich_help_panel=REPORT)
def metrics(
    records: Annotated[
        list[Path], typer.Argument(callback=named_once, help="record files (.csv), named as their tables")
    ],
    out: Annotated[Path, _written(".json")],
) -> None:
    """Write the headline numbers that `dvc metrics show` prints.

    Example: dcac metrics results/paper/records/*.csv --out results/metrics.json
    """
    from dcac.reporting import metrics

    metrics.run(records=records, out=out)


@app.command("schemas", rich_help_panel=WORKFLOW)
def schemas(
    out: Annotated[Path, typer.Option(help="folder of the schemas, one for each kind of file")] = Path(
        "config/schemas"
    ),
) -> None:
    """Write the JSON schemas that editors complete and check the configuration by.

    Example: dcac schemas
    """
    from dcac import schemas

    schemas.run(out)


QUESTIONS = (
    cli_workflow.status,
    cli_workflow.plan,
    cli_workflow.why,
    cli_workflow.fingerprints,
    cli_workflow.accept,
    cli_workflow.tidy,
)
for question in QUESTIONS:
    app.command(question.__name__, rich_help_panel=WORKFLOW)(question)


def main() -> None:
    """Run a step; a user's mistake ends in one clear sentence, not in a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for noisy in ("faiss", "httpx", "huggingface_hub", "torch"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    keep_freed_memory()
    started = time.perf_counter()
    code = ending.run(app)
    is_question = any(question.__name__ in sys.argv[1:2] for question in QUESTIONS)
    if code is None and not is_question:
        log.info("done in %.1f s", time.perf_counter() - started)
    sys.exit(code or 0)


def _parted(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Tell normalised files and cached latents apart by their suffixes."""
    parts = {"stores": ".parquet", "latents": ".safetensors"}
    return {name: [path for path in files if path.suffix == suffix] for name, suffix in parts.items()}


def _asked_for(**options: object) -> dict[str, Any]:
    """Keep the options that a person gave; the steps know their own defaults."""
    return {name: value for name, value in options.items() if value is not None}


def _store(name: str) -> Path:
    """Return the normalised file of a data set, given by its code or itself."""
    path = Path(name) if name.endswith(".parquet") else Path("results/data") / f"{name}.parquet"
    if not path.is_file():
        remedy = f"run `snakemake {path}` to make it" if not name.endswith(".parquet") else "correct the path"
        raise ValueError(f"no normalised file {path}; {remedy}")
    return path


def _methods(suite):
    """Return what may stand in a row of a suite's tables: variants, and the networks among its references."""
    from dcac.foreign.weights_card import load_weights
    from dcac.planning import named_methods
    from dcac.suites import CONFIG_DIR, REFERENCES, load_variants

    foreign = any(name not in REFERENCES for name in suite.references)
    return named_methods(suite, load_variants(), load_weights(CONFIG_DIR / "weights.yaml") if foreign else {})


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


def _device(asked: str, *, count: int = 1) -> str:
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


def _start_processes(device: str, count: int) -> None:
    """Become `count` processes, each with a GPU of its own, unless one is enough or a launcher has done it already."""
    if count == 1 or device == "cpu" or gpus.is_ranked():
        return
    gpus.take(count)
    gpus.hold_on()
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    os.execv(sys.executable, [sys.executable, "-m", *launcher, "-m", "dcac.cli", *sys.argv[1:]])


if __name__ == "__main__":
    main()
