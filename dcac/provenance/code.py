"""A statement of the code that computes a step: what can change its result, and nothing else.

From a step's `run` the statement follows every name to the function, class or constant of this package that it means, and
hashes what it finds there, module by module. Left out is what computes nothing: comments, docstrings, annotations of
functions, layout, the text and making of errors, log lines, and, but for reporting, every other sentence. The hash is
of our own form of the syntax tree, so that it is the same under every interpreter.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]  # the folder of the package
PACKAGE = ROOT.name
# Modules that keep books, read what stands there, choose, or speak: they compute nothing.
ASIDE = (
    *("closed", "data.readers.known", "declared", "disk", "ending", "locking", "provenance", "reading", "terminal"),
    "training.card",
)
ENTRY = "run"  # the function that a step is
WORDED = "reporting"  # the room whose sentences are its result
WORD = re.compile(r"(?<!\S)[^\W\d_]{2,}(?!\w)")
WORDS_OF_A_SENTENCE = 4  # a text of as many plain words is said to people; keys, modes and verdicts are shorter
SPEAKERS = ("log", "logger", "logging", "warnings", "typer", "print")
PURE = ("cache", "cached_property", "contextmanager", "dataclass", "enable_grad", "lru_cache", "no_grad")  # decorators
PRINTED = ("heading", "label", "reports")  # arguments of a declaration that only tables and figures read
SKIPPED = ("ctx", "kind", "type_comment", "type_params", "returns", "annotation")  # fields of syntax nodes


def statement(module: str, entry: str = ENTRY) -> dict[str, str]:
    """State the code of a step, or of one function.

    Args:
        module: full name of the module.
        entry: the function from which names are followed; of a step `run`.

    Returns:
        A hash of twelve hexadecimal digits for every module that the step computes with, sorted by name.

    Raises:
        ValueError: the module has no such function.
    """
    root = module.partition(".")[0]
    if entry not in _source(module).definitions:
        raise ValueError(f"{module} has no function `{entry}`, so it is no step; `dcac fingerprints` lists the steps")
    worded = module.startswith(f"{root}.{WORDED}.")
    texts = {name: "\n".join(parts) for name, parts in sorted(_reached(module, entry, worded).items())}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in texts.items()}


def digest(stated: Mapping[str, str]) -> str:
    """Join a statement into one hash of twelve hexadecimal digits."""
    return hashlib.sha256("\n".join(f"{name} {stated[name]}" for name in sorted(stated)).encode()).hexdigest()[:12]


def fingerprint(step: str) -> str:
    """Hash the code of a step, named by its module or by the step's own word, such as `train`."""
    return digest(statement(step if "." in step else steps()[step]))


def steps() -> dict[str, str]:
    """Find the steps: modules with a `run` whose docstring says what goes `In:` and what comes `Out:`; step -> module."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "In: " not in text or "Out: " not in text:
            continue
        name = ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts))
        source = _source(name)
        if "run" in source.definitions and "In: " in source.docstring and "Out: " in source.docstring:
            found[path.stem] = name
    return found


@dataclass(frozen=True)
class _Source:
    """One module, by what its top level defines."""

    package: str  # to which relative imports refer
    docstring: str = ""
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[str]] = field(default_factory=dict)  # local name -> full names it may stand for
    effects: list[ast.stmt] = field(default_factory=list)  # statements that act when the module is imported
    facts: dict[tuple[str, bool], tuple[str, list[tuple[str, str]]]] = field(default_factory=dict)  # by symbol


@cache
def _read(path: Path, name: str) -> _Source:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    source = _Source(package, ast.get_docstring(tree) or "")
    tree.body = [node for node in tree.body if not _for_type_checkers(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                source.imports.setdefault(alias.asname or alias.name, []).append(f"{base}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                source.imports.setdefault(alias.asname or first, []).append(alias.name if alias.asname else first)
                if not alias.asname and alias.name != first:  # under its full name nothing mentions it: it acts
                    source.imports.setdefault(alias.name, []).append(alias.name)
    for node in tree.body:
        names = list(_bound(node))
        for bound in names:
            source.definitions.setdefault(bound, []).append(node)
        called = isinstance(node, ast.FunctionDef | ast.ClassDef) and any(map(_registers, node.decorator_list))
        said = isinstance(node, ast.Import | ast.ImportFrom) or _silent(node)
        if called or not (names or said):
            source.effects.append(node)
    return source


def _source(module: str) -> _Source:
    path = _path(module)
    if path is None:
        raise ValueError(f"there is no module {module}")
    return _read(path, module)


def _path(module: str) -> Path | None:
    """Find a module's file by its name alone: nothing is imported, so that planning stays light."""
    first, *parts = module.split(".")
    if first != PACKAGE:
        return None
    base = ROOT.joinpath(*parts)
    candidates = (base.with_suffix(".py"), base / "__init__.py") if parts else (base / "__init__.py",)
    return next((path for path in candidates if path.is_file()), None)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _bound(node: ast.stmt) -> Iterator[str]:
    """Name what a statement of a module's top level defines."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign():
            yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
        case ast.AnnAssign() | ast.AugAssign() if isinstance(node.target, ast.Name):
            yield node.target.id
        case ast.If() | ast.Try() | ast.With() | ast.For():
            for inner in ast.iter_child_nodes(node):
                if isinstance(inner, ast.stmt):
                    yield from _bound(inner)


def _registers(decorator: ast.expr) -> bool:
    """Tell whether a decorator does something beyond changing the function it stands on."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name not in PURE


def _reached(module: str, entry: str, worded: bool) -> dict[str, list[str]]:
    """Follow names from an entry; return the bare text of what is found, in each module in order of name."""
    found: dict[str, dict[str, str]] = {}
    queue = [(module, entry)]
    seen = set(queue)

    def enqueue(items: Iterable[tuple[str, str]]) -> None:
        for item in items:
            if item not in seen and not _aside(item[0]):
                seen.add(item)
                queue.append(item)

    while queue:
        name, symbol = queue.pop()
        source = _source(name)
        if name not in found:
            found[name] = {}
            for target in _acting_imports(source):
                enqueue((target, other) for other in _source(target).definitions)
            for number, node in enumerate(source.effects):
                found[name][f"~{number}"], meant = _facts(name, source, f"~{number}", [node], worded)
                enqueue(meant)
        found[name][symbol], meant = _facts(name, source, symbol, source.definitions.get(symbol, []), worded)
        enqueue(meant)
    return {name: [f"{symbol}: {parts[symbol]}" for symbol in sorted(parts)] for name, parts in found.items()}


def _facts(
    module: str, source: _Source, symbol: str, nodes: list[ast.stmt], worded: bool
) -> tuple[str, list[tuple[str, str]]]:
    """Return the bare text of what a symbol names, and the symbols that it may mean; worked out once for all steps."""
    key = symbol, worded
    if key not in source.facts:
        reduced = [_reduced(node, worded) for node in nodes]
        text = "\n".join(" ".join(map(_text, parts)) for parts in reduced)
        source.facts[key] = text, [item for parts in reduced for item in _meant(parts, module, source)]
    return source.facts[key]


def _aside(module: str) -> bool:
    inner = module.partition(".")[2]
    return any(inner == name or inner.startswith(f"{name}.") for name in ASIDE)


def _acting_imports(source: _Source) -> Iterator[str]:
    """Name modules of the package that are imported for what importing them does: nothing else mentions them."""
    mentioned = {
        node.id
        for nodes in (*source.definitions.values(), source.effects)
        for statement_ in nodes
        for node in ast.walk(statement_)
        if isinstance(node, ast.Name)
    }
    for local, targets in source.imports.items():
        if local not in mentioned:
            yield from (target for target in targets if _path(target) is not None and target != PACKAGE)


def _meant(parts: Iterable[ast.AST], module: str, source: _Source) -> Iterator[tuple[str, str]]:
    """Yield the symbols of the package that reduced code may mean, each with its module."""
    for name, attributes in _names(parts):
        if name in source.definitions:
            yield module, name
        for target in source.imports.get(name, ()):
            yield from _symbol(target, attributes)


def _symbol(target: str, attributes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    while _path(target) is not None and attributes and _path(f"{target}.{attributes[0]}") is not None:
        target, attributes = f"{target}.{attributes[0]}", attributes[1:]
    if _path(target) is not None:  # a module: one attribute of it, or all of it where it is handed on whole
        chosen = attributes[:1] or _source(target).definitions
        for name in chosen:
            yield from _resolved(target, name)
    else:
        base, _, name = target.rpartition(".")
        if _path(base) is not None:
            yield from _resolved(base, name)


def _resolved(module: str, name: str) -> Iterator[tuple[str, str]]:
    """Follow a name that a module itself only imports to where it is defined."""
    source = _source(module)
    if name in source.definitions:
        yield module, name
    for target in source.imports.get(name, ()):
        yield from _symbol(target, ())


def _names(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every name with the chain of attributes that is read from it."""
    queue = list(nodes)
    while queue:
        node = queue.pop()
        chain: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            chain.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield inner.id, tuple(chain)
        elif inner is not node:
            queue.append(inner)
        else:
            queue.extend(child for name, value in _fields(node) for child in _nodes(value))


def _nodes(value: object) -> list[ast.AST]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, ast.AST)]


def _reduced(node: ast.AST, worded: bool) -> list[ast.AST]:
    """Return what remains of a statement once all that computes nothing is taken out."""
    return [] if _silent(node) else [_Reduce(worded).visit(_copied(node))]


def _copied(node: ast.AST) -> ast.AST:
    """Copy a tree: reducing changes it in place."""
    fields = {
        name: [_copied(item) if isinstance(item, ast.AST) else item for item in value]
        if isinstance(value, list)
        else (_copied(value) if isinstance(value, ast.AST) else value)
        for name, value in ast.iter_fields(node)
    }
    return type(node)(**fields)


class _Reduce(ast.NodeTransformer):
    """Take out docstrings, what speaks to people, the making of errors, and annotations that compute nothing."""

    def __init__(self, worded: bool):
        self.worded = worded

    def visit(self, node: ast.AST) -> ast.AST:
        node = super().visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, name, _reduced_block(block))
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise()

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        self.generic_visit(node)
        return ast.Assert(test=node.test)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for part in node.body:  # annotations of a class's fields compute: models are made of them
            if isinstance(part, ast.AnnAssign):
                part.simple = 2
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.simple == 2:
            return ast.Expr(ast.Tuple([node.target, node.annotation, *([node.value] if node.value else [])]))
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not self.worded:
            node.keywords = [given for given in node.keywords if given.arg not in PRINTED or not _is_text(given.value)]
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        spoken = isinstance(node.value, str) and not self.worded and _is_sentence(node.value)
        return ast.Constant("a sentence") if spoken else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        constants = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
        if not self.worded and _is_sentence(" ".join(constants)):
            return ast.Constant("a sentence")
        self.generic_visit(node)
        parts: list[ast.expr] = []
        for part in node.values:  # interpreters cut the constant parts differently
            if isinstance(part, ast.Constant) and parts and isinstance(parts[-1], ast.Constant):
                parts[-1] = ast.Constant(str(parts[-1].value) + str(part.value))
            elif not (isinstance(part, ast.Constant) and part.value == ""):
                parts.append(part)
        return ast.JoinedStr(parts)


def _reduced_block(block: list[ast.stmt]) -> list[ast.stmt]:
    kept = [node for node in block if not _silent(node)]
    ends = kept and isinstance(kept[-1], ast.Raise)
    if ends and not any(isinstance(inner, _LEAVES) for node in kept for inner in ast.walk(node)):
        return [ast.Raise()]  # whatever such a block does, it ends in an error
    return kept or [ast.Pass()]


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Dict):
        return all(map(_is_text, node.values))
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_sentence(text: str) -> bool:
    return len(WORD.findall(text)) >= WORDS_OF_A_SENTENCE


_LEAVES = ast.Return | ast.Yield | ast.YieldFrom | ast.Break | ast.Continue | ast.Await


def _silent(node: ast.AST) -> bool:
    """Tell whether a statement only documents or speaks."""
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    if isinstance(value, ast.Constant):
        return True
    called = value.func if isinstance(value, ast.Call) else None
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id in SPEAKERS


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    for name, value in sorted(ast.iter_fields(node)):
        left_out = name in SKIPPED or (name == "simple" and isinstance(node, ast.AnnAssign))
        if not left_out and value is not None and value != []:
            yield name, value


def _text(value: object) -> str:
    if isinstance(value, ast.AST):
        return f"({type(value).__name__} {' '.join(f'{name}={_text(inner)}' for name, inner in _fields(value))})"
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    return repr(value)
