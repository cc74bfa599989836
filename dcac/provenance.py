"""What made a result: fingerprint of a step's code, versions of the environment, sha256 manifests, atomic writes."""

import ast
import hashlib
import importlib.util
import json
import os
import platform
from collections.abc import Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from dcac.disk import naming_full_disk

PACKAGE = "dcac"
STEP_MODULES = {
    "render": "dcac.demo.render",
    "import": "dcac.data.import_data",
    "pretrain_encoder": "dcac.demo.pretrain_encoder",
    "pretrain_diffusion": "dcac.demo.pretrain_diffusion",
    "weights": "dcac.foreign.weights",
    "convert": "dcac.foreign.convert",
    "latents": "dcac.model.latents",
    "train": "dcac.training.train",
    "overhead": "dcac.training.overhead",
    "extract": "dcac.features.extract",
    "samples": "dcac.inspection.samples",
    "correlation": "dcac.inspection.correlation",
    "reference": "dcac.features.reference",
    "score": "dcac.evaluation.score",
    "records": "dcac.reporting.records",
    "table": "dcac.reporting.table",
    "overhead_table": "dcac.reporting.overhead_table",
    "figure": "dcac.reporting.figure",
    "metrics": "dcac.reporting.metrics",
}


def fingerprint(step: str) -> str:
    """Hash the code a step runs: its module and every `dcac` module it imports, comments and docstrings removed.

    Args:
        step: a key of STEP_MODULES.

    Returns:
        Twelve hexadecimal digits; the same for the same code, whatever its comments and layout.
    """
    modules = _closure(STEP_MODULES[step])
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name}\n{_bare_source(modules[name])}\n".encode())
    return digest.hexdigest()[:12]


def environment() -> dict[str, str]:
    """Name the interpreter, the platform and the versions that decide numbers."""
    versions = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        PACKAGE: metadata.version(PACKAGE),
    }
    for package in ("torch", "timm", "diffusers", "peft", "numpy", "pillow"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions


def sha256(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def manifest(folder: Path) -> dict[str, dict[str, object]]:
    """List every file below a folder with its size in bytes and sha256, sorted by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {p.relative_to(folder).as_posix(): {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files}


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON under a temporary name, then rename."""
    with atomic(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )


@contextmanager
def atomic(path: Path):
    """Yield a temporary path beside `path` that takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming_full_disk(path):
        try:
            yield temporary
            make_readable(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def make_readable(path: Path) -> None:
    """Let a file, or all below a folder, be read by whom the user's mask lets: safetensors writes for the user alone."""
    mask = os.umask(0)
    os.umask(mask)
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file():
            file.chmod(0o666 & ~mask)


def _closure(root: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    queue = [root]
    while queue:
        name = queue.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        found[name] = path
        queue.extend(_imports(path, name))
    return found


def _source(name: str) -> Path | None:
    """Find a module's file by its name alone: nothing is imported, so that planning stays light."""
    base = Path(__file__).parent.joinpath(*name.split(".")[1:])
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _imports(path: Path, name: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                base = importlib.util.resolve_name("." * node.level + base, package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == PACKAGE]


def _bare_source(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
