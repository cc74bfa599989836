"""Hook of the book: the page of every command, made from the command line itself."""

from itertools import groupby
from typing import Any

import typer.main
from cells import cell
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer import Context

from dcac.cli import app

INTRODUCTION = """# Commands

Every step of the workflow is a command of the same word, and so is every question that you may ask. `dcac --help` and
`dcac COMMAND --help` say on the terminal what stands here. All of them are typed in the folder that holds `config/`.

A command ends with 0 when it did its work, with 1 and one sentence when it could not, with 2 when it was typed wrongly; Ctrl-C and
`kill` end it with 130 and 143. `dcac --log FILE COMMAND ...` also writes what is said to a file.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, "commands.md", content=page()))
    return files


def page() -> str:
    """Describe every command, panel by panel in the order of the help."""
    group: Any = typer.main.get_command(app)  # typer says less of it than it is: a group of commands in panels
    parts = [INTRODUCTION]
    commands = [group.commands[name] for name in group.list_commands(None)]
    for panel, members in groupby(commands, key=lambda command: command.rich_help_panel):
        parts.append(f"## {panel}\n")
        for command in members:
            inner = getattr(command, "commands", {"": command})
            parts += [
                described(each, " ".join(filter(None, ["dcac", command.name, name]))) for name, each in inner.items()
            ]
    return "\n".join(parts)


def described(command: Any, words: str) -> str:
    """Describe one command: what it does, an example, its arguments and options."""
    context = Context(command, info_name=words)
    text, _, example = (command.help or "").partition("Example: ")
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    lines = [f"### {words}\n", f"{text.strip()}\n", f"```sh\n{usage}\n```\n"]
    if example:
        lines.append(f"For example:\n\n```sh\n{' '.join(example.split())}\n```\n")
    rows = [parameter.get_help_record(context) for parameter in command.get_params(context) if parameter.name != "help"]
    if rows := [row for row in rows if row is not None]:
        lines += ["| argument or option | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {cell(meaning)} |" for name, meaning in rows]
    return "\n".join(lines) + "\n"
