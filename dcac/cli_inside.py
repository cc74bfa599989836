"""`dcac samples | correlation | attention | search`: a look into a run, and into a gallery."""

from pathlib import Path
from typing import Annotated

import typer

from dcac.cli_given import asked_for, chosen_device, parted
from dcac.cli_options import Device, Panels, Steps, suffixed
from dcac.cli_words import Encoder, EncoderOfRun, LearntFrom, NetworkCardFile, Prior, Run, RunConfig, Sources, Store

app = Steps()
PANEL = Panels.ORDER[4]


@app.command("samples", rich_help_panel=PANEL)
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
    """Denoise training images of a run under their own, no and another image's condition.

    Example: dcac samples MA.parquet MA.safetensors --run runs/dcac/MA/seed1 --config run.yaml --encoder
    results/weights/clip-vit-b16 --prior results/weights/sd15 --out seed1.npz
    """
    from dcac.inspection import samples

    learnt = parted(learnt_from)
    samples.run(
        run_folder=run,
        config=config,
        encoder=encoder,
        prior=prior,
        stores=learnt.stores,
        latents=learnt.latents,
        out=out,
        **asked_for(count=count),
        device=chosen_device(device),
    )


@app.command("correlation", rich_help_panel=PANEL)
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
        device=chosen_device(device),
        **asked_for(people=people),
    )


@app.command("attention", rich_help_panel=PANEL)
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
        device=chosen_device(device),
        **asked_for(count=count),
    )


@app.command("search", rich_help_panel=PANEL)
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

    loaded = load(network, card=card, encoder=encoder, device=chosen_device(device))
    require_made_by(read_features(gallery).meta, gallery, loaded)
    metric = loaded.card.metric or "cosine"
    features = loaded.embed(pictures, unit_length=metric == "cosine")
    table = search.run(
        gallery=gallery, pictures=pictures, features=features, out=out, store=store, count=count, metric=metric
    )
    typer.echo(table.to_string(index=False))
