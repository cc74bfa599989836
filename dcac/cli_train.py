"""`dcac write_config | latents | rehearse | train | overhead`: from settings to a trained run."""

from pathlib import Path
from typing import Annotated

import typer

from dcac.cli_given import (
    asked_for,
    chosen_device,
    methods_of,
    named_networks,
    parted,
    runtime_of_project,
    start_processes,
)
from dcac.cli_options import Device, Panels, Steps, folder_of
from dcac.cli_words import (
    Encoder,
    LearntFrom,
    NetworksOfRun,
    Prior,
    PriorOfRun,
    RunConfig,
    Seed,
    SourceNames,
    Store,
    SuiteName,
    VariantName,
    written,
)

app = Steps()
PANEL = Panels.ORDER[2]


@app.command("write_config", rich_help_panel=PANEL)
def write_config(
    suite: SuiteName,
    variant: VariantName,
    sources: SourceNames,
    out: Annotated[Path, written(".yaml")],
) -> None:
    """Write the merged settings of one run.

    Example: dcac write_config --suite demo --variant dcac --sources street --out run.yaml
    """
    from dcac.provenance import atomic
    from dcac.settings import dump_settings
    from dcac.suites import load_suite, run_settings

    with atomic(out) as temporary:
        temporary.write_text(dump_settings(run_settings(load_suite(suite), variant, sources)), encoding="utf-8")


@app.command("latents", rich_help_panel=PANEL)
def latents(
    store: Store,
    prior: Prior,
    size: Annotated[int, typer.Option(min=1, help="pixels of the square diffusion view")],
    out: Annotated[Path, written(".safetensors")],
    device: Device = "auto",
) -> None:
    """Cache the autoencoder's posterior moments of every image of a data set.

    Example: dcac latents results/data/MA.parquet --prior results/weights/sd15 --size 256 --out MA.safetensors
    """
    from dcac.model import latents

    latents.run(store=store, prior=prior, size=size, out=out, device=chosen_device(device))


@app.command("rehearse", rich_help_panel=PANEL)
def rehearse(
    learnt_from: LearntFrom,
    target: Annotated[Path, typer.Option(help="normalised file of a target (.parquet), of which a slice is scored")],
    config: RunConfig,
    encoder: Encoder,
    suite: SuiteName,
    variant: VariantName,
    sources: SourceNames,
    out: Annotated[Path, written(".json")],
    prior: PriorOfRun = None,
    network: NetworksOfRun = None,
    device: Device = "auto",
) -> None:
    """Try a training before it starts: hashes, room, 20 steps at full batch, resume, and scores of a slice.

    Example: dcac rehearse MA.parquet --target D.parquet --config run.yaml --encoder results/weights/clip-vit-b16 --suite
    paper --variant baseline --sources MA --out MA.json
    """
    runtime = runtime_of_project()
    start_processes(device, runtime.gpus_per_training)
    from dcac.rehearsal import rehearse
    from dcac.suites import CONFIG_DIR, load_suite

    whole = load_suite(suite)
    rehearse.run(
        config=config,
        **parted(learnt_from)._asdict(),
        encoder=encoder,
        prior=prior,
        networks=named_networks(network),
        target=target,
        suite=suite,
        variant=variant,
        sources=sources,
        whole=whole,
        variants=methods_of(whole),
        published=CONFIG_DIR / "published.csv",
        out=out,
        device=chosen_device(device),
        runtime=runtime.stepping(),
    )


@app.command("train", rich_help_panel=PANEL)
def train(
    learnt_from: LearntFrom,
    config: RunConfig,
    encoder: Encoder,
    seed: Seed,
    out: Annotated[Path, typer.Option(callback=folder_of, help="run to write: its folder, or its run.json")],
    prior: PriorOfRun = None,
    network: NetworksOfRun = None,
    device: Device = "auto",
) -> None:
    """Train one run; the same command continues an interrupted one.

    Memory and speed are switched under `runtime:` of config/config.yaml; `gpus_per_training: 4` there makes four processes
    share each batch, a free GPU each, and `follow: tensorboard` shows the log as it grows.

    Example: dcac train MA.parquet MA.safetensors --config run.yaml --encoder results/weights/clip-vit-b16 --prior
    results/weights/sd15 --seed 1 --out runs/dcac/MA/seed1
    """
    runtime = runtime_of_project()
    start_processes(device, runtime.gpus_per_training)
    from dcac.following import followed
    from dcac.training import train

    with followed(runtime.follow, out):
        train.run(
            config=config,
            **parted(learnt_from)._asdict(),
            encoder=encoder,
            prior=prior,
            networks=named_networks(network),
            seed=seed,
            out=out,
            device=chosen_device(device),
            runtime=runtime.stepping(),
        )


@app.command("overhead", rich_help_panel=PANEL)
def overhead(
    learnt_from: LearntFrom,
    config: RunConfig,
    encoder: Encoder,
    variant: VariantName,
    sources: SourceNames,
    out: Annotated[Path, written(".json")],
    prior: PriorOfRun = None,
    network: NetworksOfRun = None,
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

    learnt = parted(learnt_from)
    given = "+".join(path.stem for path in learnt.stores)
    if sources != given:
        raise ValueError(f"--sources {sources}, but the normalised files given are those of {given}; give either's")
    overhead.run(
        config=config,
        stores=learnt.stores,
        latents=learnt.latents,
        encoder=encoder,
        prior=prior,
        networks=named_networks(network),
        variant=variant,
        sources=sources,
        out=out,
        **asked_for(steps=steps),
        device=chosen_device(device),
        runtime=runtime_of_project().stepping(),
    )
