"""What words on the command line stand for: the arguments and options that several steps share."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.models import OptionInfo

from dcac.cli_options import folder_of, named_once, stores_and_latents, suffixed


def written(suffix: str) -> OptionInfo:
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
NetworksOfRun = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FOLDER",
        help="further network that the run's method needs: its name there, and its folder or manifest",
    ),
]
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
TABLE_FILES = (".md", ".html", ".tex", ".csv", ".json")
TableFiles = Annotated[
    list[Path],
    typer.Option(
        callback=suffixed(*TABLE_FILES), help="outputs: .md, .html, .tex, .csv, and .json for what it was made from"
    ),
]
