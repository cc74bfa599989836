"""Which costly jobs of the smoke suite are due, found without the plan: each step is asked what it would make of the files.

Run in a checkout; prints a JSON object, rule -> number of jobs. A step's own question (settings, code, inputs) gives an
identity; what lies there was made under it, or a person accepted it, or the job is due. What a due job reads is due too where
it is missing or was made otherwise.
"""

import json
from collections import Counter
from itertools import product
from pathlib import Path

from dcac.data.catalog import load_catalog
from dcac.data.store import store_input
from dcac.demo.recipes import recipe
from dcac.evaluation.score import MAX_RANK, asked_score
from dcac.foreign.weights_card import load_weights
from dcac.provenance.networks import network_input
from dcac.provenance.record import ask, asked_of, read_record
from dcac.provenance.runs import run_input
from dcac.suites import load_project, load_suite, load_variants, run_settings
from dcac.training.inputs import Inputs
from dcac.training.train import asked_run

RESULTS = Path("results")
PROJECT = load_project()
SUITE = load_suite("smoke")
SEEDS = PROJECT.seeds or SUITE.seeds
CARDS, WEIGHTS, VARIANTS = (
    load_catalog(Path("config/datasets.yaml")),
    load_weights(Path("config/weights.yaml")),
    load_variants(),
)
jobs: dict[tuple, str] = {}  # a due job -> its rule


def stands(sidecar: Path, *files: Path) -> dict | None:
    """Return the record of something whose files are all there."""
    return read_record(sidecar) if sidecar.is_file() and all(file.is_file() for file in files) else None


def matches(record: dict | None, module: str, settings: dict, inputs: dict) -> bool:
    """Tell whether a record names what a step is asked now, in its own name or as accepted."""
    if record is None:
        return False
    names = {record["identity"], *(entry["identity"] for entry in record.get("accepted", []))}
    return ask(module, settings, inputs).identity in names


def is_another(code: str) -> bool:
    """Tell whether a data set lies there that was made otherwise than it would be now."""
    record = stands(RESULTS / f"data/{code}.json", RESULTS / f"data/{code}.parquet")
    return record is not None and not matches(record, "dcac.demo.render", CARDS[code].made_from(), {})


def is_another_network(name: str) -> bool:
    """Tell the same of a network."""
    card, record = WEIGHTS[name], stands(RESULTS / f"weights/{name}/manifest.json")
    chosen = recipe(card.kind, card.pretraining or {})
    asked = ask(f"dcac.demo.pretrain_{card.kind}", chosen.model_dump(mode="json"), {})
    return record is not None and (asked.code != record["code"] or is_another(chosen.data))


def are_other_latents(code: str, prior: str) -> bool:
    """Tell the same of the latents of a data set."""
    file = RESULTS / f"latents/{code}-{prior}.safetensors"
    record = stands(file.with_name(f"{file.name}.json"), file)
    return record is not None and ask("dcac.model.latents", record["settings"], {}).code != record["code"]


def data(code: str) -> bool:
    """Have a data set; tell whether it is made anew."""
    store = RESULTS / f"data/{code}.parquet"
    record = stands(store.with_suffix(".json"), store)
    if not matches(record, "dcac.demo.render", CARDS[code].made_from(), {}):
        jobs["data", code] = "render"
    return ("data", code) in jobs


def network(name: str) -> bool:
    """Have a network; tell whether it is made anew."""
    card, folder = WEIGHTS[name], RESULTS / f"weights/{name}"
    chosen, record = recipe(card.kind, card.pretraining or {}), stands(folder / "manifest.json")
    step = f"pretrain_{card.kind}"
    if record is None or ask(f"dcac.demo.{step}", chosen.model_dump(mode="json"), {}).code != record["code"]:
        data(chosen.data)
        jobs["network", name] = step
    return ("network", name) in jobs


def latents(code: str, prior: str) -> bool:
    """Have latents; tell whether they are made anew."""
    file = RESULTS / f"latents/{code}-{prior}.safetensors"
    record = stands(file.with_name(f"{file.name}.json"), file)
    anew = [data(code), network(prior)]
    if any(anew) or record is None or ask("dcac.model.latents", record["settings"], {}).code != record["code"]:
        jobs["latents", code] = "latents"
    return ("latents", code) in jobs


def train(variant: str, sources: str, seed: int) -> bool:
    """Have a run; tell whether it is made anew."""
    settings = run_settings(SUITE, variant, sources)
    folder = RESULTS / f"smoke/runs/{variant}/{sources}/seed{seed}"
    record = stands(folder / "run.json", folder / "weights.safetensors", folder / "log.jsonl")
    noisy = settings.diffusion != "none"
    stores = [RESULTS / f"data/{code}.parquet" for code in sources.split("+")]
    cached = [RESULTS / f"latents/{path.stem}-{settings.diffusion_weights}.safetensors" for path in stores if noisy]
    prior = RESULTS / f"weights/{settings.diffusion_weights}" if noisy else None
    encoder = RESULTS / f"weights/{settings.encoder_weights}"
    another = any(is_another(path.stem) for path in stores) or is_another_network(settings.encoder_weights)
    if noisy:
        another |= is_another_network(settings.diffusion_weights)
        another |= any(are_other_latents(path.stem, settings.diffusion_weights) for path in stores)
    if (
        record is not None
        and not another
        and all(path.exists() for path in (*stores, *cached, encoder, *([prior] if prior else [])))
    ):
        asked = asked_run(settings, Inputs(stores, encoder, cached, prior), seed)
        if matches(record, asked.step, dict(asked.settings), dict(asked.inputs)):
            return False
    elif record is not None and not another:  # caches are gone: what was recorded of them speaks
        own = asked_of(record, code=ask("dcac.training.train", {}, {}).code)
        if own.identity == record["identity"] and own.settings == {"seed": seed, **settings.trained()}:
            return False
    for path in stores:
        data(path.stem)
    network(settings.encoder_weights)
    if noisy:
        network(settings.diffusion_weights)
        for path in stores:
            latents(path.stem, settings.diffusion_weights)
    jobs["train", variant, sources, seed] = "train"
    return True


def extract(variant: str, sources: str, seed: int) -> bool:
    """Have a run's features; tell whether they are made anew."""
    settings = run_settings(SUITE, variant, sources)
    folder, run = (
        RESULTS / f"smoke/features/{variant}/{sources}/seed{seed}",
        f"smoke/runs/{variant}/{sources}/seed{seed}",
    )
    names = {"suite": "smoke", "variant": variant, "sources": sources, "seed": seed}
    due = False
    for target in SUITE.evaluated:
        file = folder / f"{target}.npz"
        record = stands(file.with_name(f"{file.name}.json"), file)
        if record is None or is_another(target) or is_another_network(settings.encoder_weights):
            due = True
        elif (RESULTS / run / "run.json").is_file() and (RESULTS / f"data/{target}.parquet").is_file():
            encoder = RESULTS / f"weights/{settings.encoder_weights}"
            if encoder.exists():
                inputs = {"run": run_input(RESULTS / run), "encoder": network_input(encoder)}
                inputs["data"] = store_input(RESULTS / f"data/{target}.parquet")
                due |= not matches(record, "dcac.features.extract", {"names": names, **settings.tested()}, inputs)
    made_anew = (RESULTS / run / "run.json").is_file() and train(variant, sources, seed)
    if due or made_anew:
        train(variant, sources, seed)
        for target in SUITE.evaluated:
            data(target)
        jobs["extract", variant, sources, seed] = "extract"
    return due or made_anew


def score(variant: str, sources: str, seed: int, target: str) -> None:
    """Have a score."""
    folder = f"{variant}/{sources}/seed{seed}"
    file = RESULTS / f"smoke/scores/{folder}/{target}.json"
    features = RESULTS / f"smoke/features/{folder}/{target}.npz"
    partner = VARIANTS[variant].baseline
    anew = extract(variant, sources, seed)
    against = None
    if partner != variant:
        against = RESULTS / f"smoke/features/{partner}/{sources}/seed{seed}/{target}.npz"
        anew |= extract(partner, sources, seed)
    record = stands(file)
    due = anew or record is None
    if not due and features.is_file() and (against is None or against.is_file()):
        asked = asked_score(features, against=against, metric="cosine", max_rank=MAX_RANK, rerank=None)
        due = not matches(record, asked.step, dict(asked.settings), dict(asked.inputs))
    if due:
        jobs["score", variant, sources, seed, target] = "score"


for protocol in SUITE.protocols.values():
    for sources, targets in protocol.items():
        for variant, seed, target in product(SUITE.variants, SEEDS, targets):
            score(variant, sources, seed, target)
print(json.dumps(Counter(jobs.values())))
