"""`dcac data STEP`: bring data sets into normalised files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dcac.cli_options import Steps, suffixed
from dcac.suites import CONFIG_DIR

if TYPE_CHECKING:
    from dcac.data.catalog import Card

app = Steps(no_args_is_help=True, help="Data sets: status, fetch, add, import, check, render, sheet.")

Code = Annotated[str, typer.Argument(help="code of a data set, e.g. MA")]
File = Annotated[Path, typer.Option(callback=suffixed(".parquet"), help="normalised file to write (.parquet)")]
DataRoot = Annotated[
    Path | None, typer.Option(help="folder of archives and unpacked sets; default: data_root of config/config.yaml")
]
Workers = Annotated[int, typer.Option(min=1, help="processes that decode images")]


@app.command("status")
def status(data_root: DataRoot = None) -> None:
    """Say where each data set stands, what to do next, and which protocols are possible.

    Example: dcac data status
    """
    from dcac.data.catalog import load_catalog
    from dcac.data.imports import status
    from dcac.suites import load_project, load_suite

    project = load_project()
    suites = sorted(path.stem for path in (CONFIG_DIR / "suites").glob("*.yaml"))
    protocols = {
        f"{name}: {protocol}": cells for name in suites for protocol, cells in load_suite(name).protocols.items()
    }
    text = status.run(
        load_catalog(CONFIG_DIR / "datasets.yaml"),
        data_root=data_root or Path(project.data_root),
        stores=Path("results/data"),
        protocols=protocols,
        accept_withdrawn=project.accept_withdrawn,
    )
    typer.echo(text)


@app.command("fetch")
def fetch(
    code: Code,
    archive: Annotated[str | None, typer.Option(help="one of the card's archives; default: the first")] = None,
    data_root: DataRoot = None,
) -> None:
    """Download an archive that anyone may download, into data_root; an interrupted download goes on.

    Example: dcac data fetch MA
    """
    from dcac.data import fetching
    from dcac.suites import load_project
    from dcac.terminal import terminal_bar

    folder = data_root or Path(load_project().data_root)
    typer.echo(fetching.run(card(code), folder, archive=archive, progress=terminal_bar(f"fetch {code}")))


@app.command("add")
def add(
    path: Annotated[Path, typer.Argument(help="archive (zip, tar, tgz) or folder of your pictures")],
    dataset: Annotated[str, typer.Option(help="code of the set to be, e.g. LAB: letters, digits and -")],
    name: Annotated[str | None, typer.Option(help="its name for people; default: the code")] = None,
    layout: Annotated[
        Literal["market", "folders", "list"] | None,
        typer.Option(
            help="market: names like 0002_c1s1_000451_03.jpg, in one folder or one a split; folders: a folder a person, "
            "below train, query and gallery or not; list: a table; default: what is recognised"
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--list", help="table of path, pid, camid, split (CSV or Parquet); default: the one in the top folder"
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(help=r"regular expression whose group is the camera, e.g. 'cam(\d+)'; default: the usual ones"),
    ] = None,
    no_cameras: Annotated[
        bool,
        typer.Option("--no-cameras", help="nobody knows them: only a query's own picture is left out of its ranking"),
    ] = False,
    split: Annotated[
        Literal["keep", "half", "test"] | None,
        typer.Option(
            help="keep what the layout says; half of the people to train on; test: all are a target; default: keep"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the draws of people and queries, where they are drawn")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="write the card of this code anew")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the counts and the card, write nothing")] = False,
    workers: Workers = 2,
) -> None:
    """Recognise a set of your own, record its counts and fingerprint, and write its card into config/datasets.local.yaml.

    From then on it is a data set like any other, and its counts, labels and pictures are asserted.

    Example: dcac data add data/lab --dataset LAB --split half
    """
    from dcac.data.catalog import LOCAL, load_cards
    from dcac.data.imports import adding
    from dcac.suites import load_project

    said = adding.Said(layout, table, camera, cameras=not no_cameras, split=split, seed=seed, name=name)
    if no_cameras and camera is not None:
        raise typer.BadParameter("--camera and --no-cameras contradict each other; give one of them")
    text = adding.run(
        path,
        dataset,
        said,
        cards=load_cards(CONFIG_DIR / "datasets.yaml"),
        data_root=Path(load_project().data_root),
        out=CONFIG_DIR / LOCAL,
        replace=replace,
        dry_run=dry_run,
        workers=workers,
    )
    typer.echo(text)


@app.command("import")
def import_data(
    path: Annotated[Path, typer.Argument(help="archive (zip, tar, tgz) or unpacked folder")],
    dataset: Annotated[str, typer.Option(help="code of the data set, e.g. MA")],
    out: File,
    variant: Annotated[str | None, typer.Option(help="variant of the data set; default: the card's first")] = None,
    inside: Annotated[
        str | None, typer.Option(help="folder or archive within PATH that holds the set, where PATH holds several")
    ] = None,
    workers: Workers = 2,
    allow_different_counts: Annotated[
        bool, typer.Option(help="accept other counts; marks the file non-standard")
    ] = False,
    drop_unreadable: Annotated[
        bool, typer.Option(help="leave unreadable images out; marks the file non-standard")
    ] = False,
) -> None:
    """Turn an archive or folder, in any accepted layout, into a normalised file; counts are asserted.

    Example: dcac data import data/Market-1501-v15.09.15.zip --dataset MA --out results/data/MA.parquet
    """
    from dcac.data.imports import import_data
    from dcac.suites import load_project

    done = import_data.run(
        path,
        out,
        card=card(dataset),
        variant=variant,
        inside=inside,
        workers=workers,
        allow_different_counts=allow_different_counts,
        drop_unreadable=drop_unreadable,
        accept_withdrawn=load_project().accept_withdrawn,
    )
    typer.echo(done.report)


@app.command("check")
def check(path: Annotated[Path, typer.Argument(help="normalised file (.parquet)")], workers: Workers = 2) -> None:
    """Verify a normalised file again: every image decodes, labels, counts and hashes agree.

    Example: dcac data check results/data/MA.parquet
    """
    from dcac.data.imports import checking

    found = checking.run(path, workers=workers)
    typer.echo(found.report)
    if found.problems:
        raise typer.Exit(1)


@app.command("render")
def render(code: Code, out: File) -> None:
    """Render a synthetic domain into a normalised file.

    Example: dcac data render street --out results/data/street.parquet
    """
    from dcac.demo import render

    render.run(card(code), out)


@app.command("sheet")
def sheet(
    stores: Annotated[list[Path], typer.Argument(help="normalised files, one a row")],
    out: Annotated[Path, typer.Option(callback=suffixed(".png"), help="picture to write (.png)")],
    images: Annotated[int, typer.Option(min=1, help="pictures a row, from the first people of the train split")] = 24,
) -> None:
    """Draw a contact sheet of rendered domains; real people do not belong on one.

    Example: dcac data sheet results/data/street.parquet --out sheet.png
    """
    from dcac.data.store import read_sidecar, read_split
    from dcac.demo.sheet import contact_sheet

    real = [path for path in stores if read_sidecar(path).get("layout") != "rendered"]
    if real:
        raise ValueError(f"{real[0]} holds pictures of real people; a contact sheet is for rendered domains only")
    contact_sheet([list(read_split(path, "train")["data"][:images]) for path in stores]).save(out)


def card(code: str) -> "Card":
    """Return the card of a data set."""
    from dcac.data.catalog import load_catalog

    cards = load_catalog(CONFIG_DIR / "datasets.yaml")
    if code not in cards:
        raise ValueError(f"unknown data set '{code}'; the cards are of: {', '.join(cards)}")
    return cards[code]
