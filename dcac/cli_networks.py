"""`dcac pretrain_* | weights | convert | export`: networks in, and out again."""

from pathlib import Path
from typing import Annotated

import typer

from dcac.cli_given import chosen_device, pretraining_of, weights_card
from dcac.cli_options import Device, Panels, Steps, folder_of, once_each
from dcac.cli_words import EncoderOfRun, Network, NetworkName, Store

app = Steps()
PANEL = Panels.ORDER[1]


@app.command("pretrain_encoder", rich_help_panel=PANEL)
def pretrain_encoder(name: NetworkName, store: Store, out: Network, device: Device = "cpu") -> None:
    """Pre-train the demo's encoder on captions of the broad synthetic domain.

    Example: dcac pretrain_encoder demo-encoder-recipe results/data/broad.parquet --out results/weights/demo-encoder-recipe
    """
    from dcac.demo import pretrain_encoder
    from dcac.demo.recipes import EncoderPretraining

    settings = pretraining_of(name, EncoderPretraining)
    pretrain_encoder.run(store=store, settings=settings, out=out, device=chosen_device(device))


@app.command("pretrain_diffusion", rich_help_panel=PANEL)
def pretrain_diffusion(name: NetworkName, store: Store, out: Network, device: Device = "cpu") -> None:
    """Pre-train a small latent diffusion model, the demo's; on a set without captions an unconditional one.

    Example: dcac pretrain_diffusion demo-diffusion-recipe results/data/broad.parquet --out results/weights/demo-diffusion-recipe
    """
    from dcac.demo import pretrain_diffusion
    from dcac.demo.recipes import DiffusionPretraining

    settings = pretraining_of(name, DiffusionPretraining)
    pretrain_diffusion.run(store=store, settings=settings, out=out, device=chosen_device(device))


@app.command("weights", rich_help_panel=PANEL)
def weights(name: NetworkName, out: Network) -> None:
    """Fetch a pre-trained network named in config/weights.yaml, once and checked.

    Example: dcac weights clip-vit-b16 --out results/weights/clip-vit-b16
    """
    from dcac.foreign import network_files, weights

    card = weights_card(name)
    fetch = network_files.run if card.kind == "network" else weights.run
    fetch(name=name, card=card, out=out)


@app.command("convert", rich_help_panel=PANEL)
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


@app.command("export", rich_help_panel=PANEL)
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
