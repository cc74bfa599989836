"""`dcac status | plan | preflight | why | fingerprints | accept | publish | tidy`: what stands, why the rest is due, what can go."""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Group

    from dcac.watching import Report

WATCH = 5  # seconds between two looks


def fingerprints() -> None:
    """Print a JSON object: step -> hash of the code that computes it.

    Example: dcac fingerprints
    """
    from dcac.provenance.code import fingerprint, steps

    typer.echo(json.dumps({step: fingerprint(step) for step in sorted(steps())}, indent=1))


def status(
    suite: Annotated[str | None, typer.Option(help="another suite than the one in config/config.yaml")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="look again every five seconds, until Ctrl-C")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON, for scripts")] = False,
) -> None:
    """Say what of the suite is done, running, waiting or failed, and what is left; on SLURM also why jobs wait in the queue.

    Example: dcac status --watch
    """
    from rich.live import Live

    from dcac.cluster import waiting_here
    from dcac.planning import Plan
    from dcac.standing import Standing
    from dcac.status_page import page
    from dcac.terminal import screen
    from dcac.watching import look

    def now() -> "Report":
        return look(Standing(Plan.read(given={"suite": suite} if suite else None)))

    def drawn() -> "Group":
        return page(now(), waits=waiting_here())

    if as_json:
        typer.echo(now().as_json(waits=waiting_here()))
    elif not watch:
        screen().print(drawn())
    else:
        with Live(drawn(), console=screen(), auto_refresh=False) as live:
            while True:
                time.sleep(WATCH)
                live.update(drawn(), refresh=True)


def plan(
    suite: Annotated[str | None, typer.Option(help="another suite than the one in config/config.yaml")] = None,
) -> None:
    """Say what is still to do in hours, memory and disk, as jobs of each kind took here, and what does not fit.

    Example: dcac plan --suite paper
    """
    from dcac import forecast
    from dcac.planning import Plan
    from dcac.standing import Standing
    from dcac.terminal import screen

    planned = Plan.read(given={"suite": suite} if suite else None)
    for notice in planned.notices:
        typer.echo(notice)
    lines = forecast.forecast(Standing(planned))
    screen().print(forecast.page(lines, planned.project.suite, **forecast.machine()))


def preflight(
    suite: Annotated[str | None, typer.Option(help="another suite than the one in config/config.yaml")] = None,
) -> None:
    """Rehearse every training of the suite, some minutes each, with the data and networks that they need: `snakemake preflight`.

    Example: dcac preflight --suite paper
    """
    chosen = ["--config", f"suite={suite}"] if suite else []
    os.execvp("snakemake", ["snakemake", "preflight", *chosen])


def why(
    target: Annotated[str, typer.Argument(help="a table or figure of the active suite, or a file below results/")],
    suite: Annotated[str | None, typer.Option(help="another suite than the one in config/config.yaml")] = None,
) -> None:
    """Say what would be made for a target, and for which reason; nothing is started.

    Example: dcac why dg_single
    """
    from dcac.planning import Plan
    from dcac.standing import Standing

    plan = Plan.read(given={"suite": suite} if suite else None)
    plan.require_planned([target])
    standing = Standing(plan)
    lines = list(dict.fromkeys(standing.why(standing.of(target))))
    for line in lines or [f"Everything stands for {target}: nothing has to be made."]:
        typer.echo(line)


def accept(runs: Annotated[list[Path], typer.Argument(help="folders of finished runs, such as .../seed1")]) -> None:
    """Let finished runs stand although their code changed: you vouch that the change computes nothing else.

    Example: dcac accept results/paper/runs/dcac/MA/seed*
    """
    from dcac import accept as accepting

    for line in accepting.run(runs):
        typer.echo(line)


def publish(
    out: Annotated[Path, typer.Option(help="folder or archive (.tar) to write; it must not exist")],
    suite: Annotated[str | None, typer.Option(help="another suite than the one in config/config.yaml")] = None,
) -> None:
    """Gather what of a suite may be published: weights, scores, tables and records, with checksums and terms; say what may not.

    Example: dcac publish --suite paper --out dcac-paper.tar
    """
    from dcac import publish as publishing
    from dcac.planning import Plan

    for line in publishing.run(Plan.read(given={"suite": suite} if suite else None), out):
        typer.echo(line)


def tidy(
    results: Annotated[Path, typer.Option(help="folder of results")] = Path("results"),
    free: Annotated[bool, typer.Option("--free", help="delete what is listed")] = False,
) -> None:
    """List what lies in results/ that nothing made there needs: kept files of other identities, states of finished runs, caches.

    Example: dcac tidy --free
    """
    from dcac import tidy as tidying

    found = list(tidying.leftovers(results))
    for leftover in found:
        typer.echo(f"{leftover.bytes / 1e6:10.1f} MB  {leftover.path}  ({leftover.why})")
    total = sum(leftover.bytes for leftover in found) / 1e6
    if free:
        tidying.free(found)
    typer.echo(f"{total:10.1f} MB  {'freed' if free else 'can be freed with --free'}")
