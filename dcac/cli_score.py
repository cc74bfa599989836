"""`dcac extract | reference | embed | score | evaluate`: features and scores."""

from pathlib import Path
from typing import Annotated

import typer

from dcac import terminal
from dcac.cli_given import asked_for, chosen_device, named_store, require_variant, weights_card
from dcac.cli_options import Device, Panels, Steps, folder_of, known_device, named_once, suffixed
from dcac.cli_words import (
    AnyNetwork,
    Encoder,
    EncoderOfRun,
    Metric,
    NetworkCardFile,
    NetworkName,
    Reranking,
    Run,
    RunConfig,
    Seed,
    SourceNames,
    SuiteName,
    Targets,
    VariantName,
)

app = Steps()
PANEL = Panels.ORDER[3]


@app.command("extract", rich_help_panel=PANEL)
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

    names: dict[str, str | int] = {"suite": suite, "variant": variant, "sources": sources, "seed": seed}
    require_variant(config, suite, variant, sources)
    extract.run(
        run_folder=run,
        config=config,
        encoder=encoder,
        stores=stores,
        names=names,
        out=out,
        device=chosen_device(device),
    )


@app.command("reference", rich_help_panel=PANEL)
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
    names: dict[str, str | int] = {"suite": suite, "variant": kind, "sources": NO_SOURCES, "seed": 0}
    reference.run(
        reference=kind,
        settings=settings,
        encoder=encoder,
        stores=stores,
        names=names,
        out=out,
        device=chosen_device(device) if kind == "pretrained" else "cpu",  # the others load no network
    )


@app.command("embed", rich_help_panel=PANEL)
def embed(
    name: NetworkName,
    stores: Targets,
    suite: SuiteName,
    sources: Annotated[str, typer.Option(help="codes of the data sets it was trained on, joined with +; or none")],
    out: Annotated[Path, typer.Option(help="folder of the feature files, one a target")],
    weights: Annotated[
        Path | None,
        typer.Option(
            callback=folder_of, help="the network: its folder, or its manifest; default: results/weights/NAME"
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Embed the test images of targets with a network of a card, as a reference of a suite.

    Example: dcac embed clip-vit-b16 MA.parquet D.parquet --suite networks --sources none --out features
    """
    from dcac.networks import embed
    from dcac.networks.load import load

    place = weights or Path("results/weights") / name
    network = load(place, card=weights_card(name).network, device=chosen_device(device))
    names: dict[str, str | int] = {"suite": suite, "variant": name, "sources": sources, "seed": 0}
    embed.run(network=network, stores=stores, names=names, out=out)


@app.command("score", rich_help_panel=PANEL)
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
        device=None if device is None else chosen_device(device),
        progress=terminal.terminal_bar("score"),
        **asked_for(max_rank=max_rank),
    )
    typer.echo(score.table_line(record))
    if "other_metric" in record:
        typer.echo(f"Euclidean: {score.other_line(record)}")


@app.command("evaluate", rich_help_panel=PANEL)
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

    stores = named_once([named_store(name) for name in target])
    chosen = load(network, card=card, encoder=encoder, device=chosen_device(device))
    folder = out or Path("results/evaluate") / evaluate.word_of(chosen.name)
    scored = evaluate.run(
        network=chosen, stores=stores, out=folder, metric=metric, progress=terminal.terminal_bar("score")
    )
    for code, record in scored:
        for line in evaluate.lines(code, record, chosen):
            typer.echo(line)
