"""`dcac STEP`: one step per rule, the same word everywhere."""

import logging
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from dcac import (
    cli_inside,
    cli_networks,
    cli_report,
    cli_score,
    cli_train,
    cli_workflow,
    ending,
    terminal,
)
from dcac.allocator import keep_freed_memory
from dcac.cli_data import app as data_app
from dcac.cli_options import Panels, Steps

app = Steps(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, cls=Panels)
DATA, *_, WORKFLOW = Panels.ORDER
app.add_typer(data_app, name="data", rich_help_panel=DATA)
for room in (cli_networks, cli_train, cli_score, cli_inside, cli_report):
    app.add_typer(room.app)
log = logging.getLogger("dcac")


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
    cli_workflow.preflight,
    cli_workflow.why,
    cli_workflow.fingerprints,
    cli_workflow.accept,
    cli_workflow.publish,
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


if __name__ == "__main__":
    main()
