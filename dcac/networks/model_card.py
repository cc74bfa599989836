"""The model card of an exported run, in the README format of the hub: use, data and their terms, metrics with intervals."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from dcac.data.catalog import load_catalog
from dcac.declared import needed
from dcac.foreign.weights_card import load_weights
from dcac.provenance.files import RESULTS
from dcac.reading import read_json
from dcac.settings import Settings
from dcac.suites import CONFIG_DIR

DEMO = ("demo-", "smoke-")  # begin the names of encoders of an architecture of our own
UNKNOWN = "terms not known here; ask those who publish it"


def read_scores(run_folder: Path, report: Mapping[str, Any], given: Sequence[Path]) -> list[dict]:
    """Read the scores of a run: those given, and those that the workflow keeps for it, by target.

    Raises:
        ValueError: a score is another run's.
    """
    remedy = "score the features of this run (`dcac score`), or leave the file out"
    found = {}
    for path in (*beside(run_folder), *given):
        score = read_json(path, keys=("meta", "mAP", "rank1", "interval", "metric"), remedy=remedy)
        if score["meta"].get("run") != report["identity"]:
            if path in given:
                raise ValueError(f"{path} is no score of {run_folder}, but of another run; {remedy}")
            continue  # of an earlier training under the same name
        found[score["meta"]["target"]] = score
    return [found[target] for target in sorted(found)]


def beside(run_folder: Path) -> list[Path]:
    """List the score files of a run in the workflow's places: results/{suite}/scores/... for results/{suite}/runs/..."""
    parts = list(run_folder.absolute().parts)
    places = [place for place, part in enumerate(parts) if part == "runs" and place > 1 and parts[place - 2] == RESULTS]
    if not places:
        return []
    parts[places[-1]] = "scores"
    return sorted(Path(*parts).glob("*.json"))


def model_card(report: Mapping[str, Any], settings: Settings, scores: Sequence[Mapping[str, Any]], *, name: str) -> str:
    """Write the whole card.

    Args:
        report: content of the run's run.json.
        scores: of the run, in the order of the table.
        name: of the folder.
    """
    data = ModelCardData(
        library_name="timm",
        pipeline_tag="image-feature-extraction",
        license="other",
        tags=["person-re-identification", "domain-generalization", "image-feature-extraction", "dcac"],
        model_name=name,
        eval_results=[result for score in scores for result in results(score)] or None,
    )
    parts = [f"---\n{data.to_yaml()}\n---", f"# {name}", *body(report, settings, scores, name=name)]
    return "\n\n".join(parts) + "\n"


def results(score: Mapping[str, Any]) -> list[EvalResult]:
    """State mAP and rank-1 of one target in the hub's own terms, in percent."""
    target = score["meta"]["target"]
    task = {"task_type": "image-retrieval", "task_name": "Person re-identification", "dataset_type": target.lower()}
    return [
        EvalResult(
            **task, dataset_name=target, metric_type=key, metric_name=shown, metric_value=round(100 * score[key], 2)
        )
        for key, shown in (("mAP", "mAP"), ("rank1", "rank-1"))
    ]


def body(report: Mapping[str, Any], settings: Settings, scores: Sequence[Mapping[str, Any]], *, name: str) -> list[str]:
    """Write the sections."""
    size = f"{settings.image_height} x {settings.image_width}"
    prior = needed(settings, "prior") or "none: this is a baseline"
    return [
        "Image encoder for person re-identification, trained by `dcac`: pictures of one person have near features, whatever the "
        "camera.",
        "## Intended use",
        "Research on re-identification across camera networks: a cropped picture of a person in, a feature out, compared by "
        "cosine. It is not made to identify people at large, to follow individuals without their knowledge, or to decide "
        "anything about a person; errors may fall unevenly on people who are rare in the training data.",
        "## How to use it",
        *usage(settings, name),
        "## Training",
        f"- encoder: {settings.encoder_weights} ({terms_of_network(settings.encoder_weights)})\n"
        f"- diffusion prior: {prior}{prior_terms(settings)}\n"
        f"- images {size}, last epoch {report['epoch'].get('epoch', 'unknown')}, seed {report['seed']}; never chosen by a target\n"
        f"- code {report['code']}, identity {report['identity'][:16]}",
        "## Training data and their terms",
        "\n".join(source_lines(report["data"]))
        or "The run does not know its data: it was converted from a checkpoint.",
        "## Metrics",
        metrics(scores, sources=report["data"]),
        "## Licence",
        "The weights follow from the data and networks above; their terms hold for what is made with them.",
    ]


def usage(settings: Settings, name: str) -> list[str]:
    """Show how to embed pictures, with dcac and, where the architecture is one of timm's own, with timm alone."""
    ours = f"```python\nimport dcac\nfeatures = dcac.load('{name}').embed(['a.jpg', 'b.jpg'])  # unit length\n```"
    if settings.encoder_weights.startswith(DEMO):
        return [ours, "The architecture is the demo's own, which timm alone does not build."]
    size = f"{settings.image_height} x {settings.image_width}"
    timm = (
        f"```python\nimport timm, torch\nmodel = timm.create_model('local-dir:{name}', pretrained=True).eval()  # or "
        f"'hf-hub:OWNER/{name}'\nfeatures = torch.nn.functional.normalize(model(images))  # images {size}; mean and std are in "
        "config.json\n```"
    )
    return [ours, timm]


def source_lines(data: Mapping[str, str]) -> list[str]:
    """Name each source with its terms and the content that was learnt from."""
    path = CONFIG_DIR / "datasets.yaml"
    cards = load_catalog(path) if path.is_file() else {}
    return [
        f"- {code}: {f'{cards[code].name}. {cards[code].terms}' if code in cards else UNKNOWN} (sha256 {digest[:16]})"
        for code, digest in data.items()
    ]


def terms_of_network(name: str) -> str:
    """Return the terms of a pre-trained network."""
    path = CONFIG_DIR / "weights.yaml"
    cards = load_weights(path) if path.is_file() else {}
    return cards[name].terms if name in cards else UNKNOWN


def prior_terms(settings: Settings) -> str:
    """Return the terms of the prior, if there is one."""
    prior = needed(settings, "prior")
    return f" ({terms_of_network(prior)})" if prior else ""


def metrics(scores: Sequence[Mapping[str, Any]], *, sources: Collection[str]) -> str:
    """Write a row a target: mAP and rank-1 in percent with their intervals; a target among the sources says so."""
    if not scores:
        return "Not scored here."
    head = "| target | metric | mAP | rank-1 |\n|---|---|---|---|"
    names = [f"{t} (other people of a source)" if t in sources else t for t in (s["meta"]["target"] for s in scores)]
    rows = [
        f"| {name} | {s['metric']} | {cell(s, 'mAP')} | {cell(s, 'rank1')} |"
        for name, s in zip(names, scores, strict=True)
    ]
    note = "Percent; in brackets 95 % intervals of a bootstrap over query identities; single query, no re-ranking."
    return "\n".join([head, *rows]) + f"\n\n{note}"


def cell(score: Mapping[str, Any], key: str) -> str:
    """Write a share in percent with its interval."""
    low, high = score["interval"][key]
    return f"{100 * score[key]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
