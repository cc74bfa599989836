"""Each kind of addition is declared once: a toy one, declared here, walks through training, log, diagnostics, records and table."""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from matplotlib.figure import Figure
from safetensors.torch import load_file
from torch import nn

from dcac import losses, methods
from dcac.artefacts import Artefacts
from dcac.closed import Closed, ConfigError, NonNegative, Positive, load_yaml, parse
from dcac.data.catalog import LOCAL, load_cards, load_catalog
from dcac.data.imports import adding, import_data
from dcac.data.store import Record, read_split, write_store
from dcac.evaluation import score
from dcac.features import extract
from dcac.inspection import correlation
from dcac.losses.term import LossTerm
from dcac.methods.dcac.keys import OF_THE_PRIOR
from dcac.methods.method import Method
from dcac.methods.trained import PerImage, TrainedModel
from dcac.model import schemes
from dcac.model.diffusion import start_prior
from dcac.model.encoder import load_backbone
from dcac.model.schemes.scheme import Scheme
from dcac.planning import Plan
from dcac.reporting import figure, figures, records, table
from dcac.reporting.figures.kind import FigureKind
from dcac.reporting.figures.samples import SAMPLES
from dcac.reporting.tables.recorded import read_records
from dcac.settings import Runtime, parse_settings
from dcac.suites import Suite, Variant
from dcac.training import train as train_step

SUITE = {
    "title": "Toys",
    "demo": False,
    "device": "cpu",
    "base": "paper",
    "seeds": [0],
    "variants": ["toy"],
    "references": [],
    "tables": {"toys": {"protocol": "single-source", "title": "One"}},
}


class Walk(NamedTuple):
    """What a variant left on its way."""

    run: object  # with weights, report and epochs
    records: pd.DataFrame
    table: str  # Markdown


@pytest.fixture
def target(other_store, tmp_path):
    """A data set T to test on: a query and a gallery image of each of 16 people."""
    rows = list(read_split(other_store, "train").itertuples())
    parts = (("query", 0, rows[::4]), ("gallery", 1, rows[1::4]))
    images = [
        Record(split, row.pid, camid, "T", f"{split}/{row.path}", row.data)
        for split, camid, shots in parts
        for row in shots
    ]
    write_store(images, tmp_path / "T.parquet", facts={"dataset": "T", "version": "1"})
    return tmp_path / "T.parquet"


@pytest.fixture
def walk(train, store, target, encoder_folder, config_dir, tmp_path):
    """Return a function that takes settings from training to a table."""

    def start(settings, source=store):
        folder, code = tmp_path / "runs" / "toy" / source.stem / "seed0", source.stem
        run = train(folder, settings, sources=[source])
        names = {"suite": "toys", "variant": "toy", "sources": code, "seed": 0}
        files = {"run_folder": folder, "config": folder.with_suffix(".yaml"), "encoder": encoder_folder}
        extract.run(**files, stores=[target], names=names, out=tmp_path / "features", device="cpu")
        score.run(tmp_path / "features" / "T.npz", tmp_path / "scores" / "T.json")
        records.run(scores=[tmp_path / "scores" / "T.json"], out=tmp_path / "records.csv")
        table.run(
            name="toys",
            suite=parse(
                Suite, {**SUITE, "domains": [code, "T"], "protocols": {"single-source": {code: ["T"]}}}, "test"
            ),
            variants={"toy": Variant("A toy", {})},
            records=tmp_path / "records.csv",
            published=config_dir / "published.csv",
            out=[tmp_path / "toys.md"],
        )
        return Walk(run, read_records(tmp_path / "records.csv"), (tmp_path / "toys.md").read_text(encoding="utf-8"))

    return start


def short(settings, **changes):
    """Return settings of one epoch, validated with the keys that are declared now."""
    content = {**settings.model_dump(), "epochs": 1, "decay_epochs": (), "warmup_epochs": 0, **changes}
    return parse_settings(content, "test")


class CentreSettings(Closed):
    """Keys of the toy loss term."""

    centre_weight: NonNegative
    centre_scale: Positive


def centre_loss(embedding, batch, settings):
    """Distance of an image to the prototype of its own identity."""
    own = batch.memory[batch.labels]
    return settings.centre_scale * (embedding.direction - own).square().sum(dim=1).mean()


CENTRE = LossTerm(
    name="centre",
    weight="centre_weight",
    label="centre",
    heading="‖∇ centre‖",
    loss=centre_loss,
    settings=CentreSettings,
)


def test_a_loss_term_is_declared_once(settings, walk, train, tmp_path, monkeypatch):
    monkeypatch.setattr(losses, "TERMS", (*losses.TERMS, CENTRE))
    found = walk(short(settings, centre_weight=5.0, centre_scale=2.0))
    assert {"loss_centre", "gradient_centre"} <= set(found.run.epochs[0])
    assert found.run.report["settings"]["centre_weight"] == 5.0
    gradient = found.run.report["epoch"]["gradient_centre"]
    assert gradient > 0 and found.records["gradient_centre"].item() == pytest.approx(gradient)
    assert "‖∇ centre‖" in found.table
    silent = train(tmp_path / "silent", short(settings, centre_weight=0.0, centre_scale=2.0))
    plain = train(tmp_path / "plain", short(settings, diffusion="none", centre_weight=0.0, centre_scale=2.0))
    assert not found.run.weights["reid.classifier.weight"].equal(silent.weights["reid.classifier.weight"])
    assert plain.epochs[0]["gradient_centre"] > 0, "a term is one of every method"


def test_the_keys_of_a_loss_term_are_checked_like_all_others(settings, monkeypatch):
    with pytest.raises(ConfigError, match="unknown key 'centre_weight'"):
        short(settings, centre_weight=1.0)
    monkeypatch.setattr(losses, "TERMS", (*losses.TERMS, CENTRE))
    with pytest.raises(ConfigError, match="key 'centre_scale' is missing"):
        short(settings, centre_weight=1.0)
    with pytest.raises(ConfigError, match=r"unknown key 'centre_wieght' \(did you mean 'centre_weight'\?\)"):
        short(settings, centre_wieght=1.0, centre_scale=1.0)
    with pytest.raises(ConfigError, match=r"'centre_weight' is -1\.0"):
        short(settings, centre_weight=-1.0, centre_scale=1.0)


class SharpSettings(Closed):
    """Keys of the toy scheme."""

    sharp_power: Positive


def sharpened(embedding, labels, memory, settings):
    """p of the class scores to a power, normalised again."""
    p = embedding.logits.softmax(dim=1) ** settings.sharp_power
    return p / p.sum(dim=1, keepdim=True)


SHARP = Scheme("sharp", sharpened, settings=SharpSettings)


def test_a_conditioning_scheme_is_declared_once(settings, walk, store, encoder_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(schemes, "SCHEMES", (*schemes.SCHEMES, SHARP))
    found = walk(short(settings, condition="sharp", sharp_power=3.0, classifier_std=1.0))
    reported = found.run.report["epoch"]
    assert {"loss_noise", "p_max", "p_entropy", "noise_own", "noise_other"} <= set(reported)
    assert found.records["p_max"].item() == pytest.approx(reported["p_max"]) and "mean max p" in found.table
    assert found.run.report["settings"]["sharp_power"] == 3.0
    other = short(settings, condition="fc", sharp_power=3.0)
    assert "sharp_power" not in other.trained(), "other schemes do without its keys"
    folder = tmp_path / "runs" / "toy" / "A" / "seed0"
    files = {"run_folder": folder, "config": folder.with_suffix(".yaml"), "encoder": encoder_folder, "stores": [store]}
    correlation.run(**files, people=3, out=tmp_path / "c.npz", device="cpu")
    assert np.load(tmp_path / "c.npz")["mean_p_max"] > 0.2, "look-alikes know the scheme too"


def test_an_unknown_scheme_is_refused_with_its_nearest_and_all_others(settings, monkeypatch):
    monkeypatch.setattr(schemes, "SCHEMES", (*schemes.SCHEMES, SHARP))
    refused = r"'condition' is 'sharpp': no conditioning scheme .*did you mean 'sharp'.*: fc, pcl, fc\+pcl, feature, hard, sharp"
    with pytest.raises(ConfigError, match=refused):
        short(settings, condition="sharpp", sharp_power=3.0)


def draw_bars(drawing):
    """Draw a bar for each method of the table."""
    figure = Figure()
    figure.subplots().bar(list(drawing.methods), [1.0] * len(drawing.methods))
    return figure


def no_long_run(settings):
    """Refuse runs of many epochs."""
    return "which takes too long; name a shorter one" if settings.epochs > 100 else ""


BARS = FigureKind(
    "bars",
    runs="one",
    inputs=lambda behind: behind.of_named("runs", "seed{seed}/log.jsonl"),
    draw=draw_bars,
    seen="A bar an epoch.",
    fault=no_long_run,
)


def test_a_kind_of_figure_is_declared_once(config_dir, tmp_path, monkeypatch):
    root = Path(shutil.copytree(config_dir, tmp_path / "config"))
    content = load_yaml(root / "suites" / "smoke.yaml")
    content["figures"] = {"f": {"table": "dg_single", "kind": "bars", "title": "t", "variants": ["dcac"]}}
    (root / "suites" / "smoke.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no kind of figure has this name.*there are: cmc, diagnostics, samples"):
        Plan.read(given={"suite": "smoke"}, root=root)
    monkeypatch.setattr(figures, "KINDS", (*figures.KINDS, BARS))
    plan = Plan.read(given={"suite": "smoke"}, root=root)
    log = "results/smoke/runs/dcac/smoke-a/seed0/log.jsonl"
    assert plan.figure_inputs("f") == [log]
    assert [given.artefact.what for given in Artefacts(plan).figure("f").inputs.values()] == [f"run {Path(log).parent}"]
    out = [tmp_path / "f.png", tmp_path / "f.pdf"]
    figure.run(name="f", suite=plan.suite, variants=plan.variants, inputs=[], out=out)
    assert all(path.stat().st_size > 1000 for path in out)
    content["overrides"] |= {"epochs": 101}
    (root / "suites" / "smoke.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match="figure 'f' draws 'dcac', which takes too long; name a shorter one"):
        Plan.read(given={"suite": "smoke"}, root=root)


class AimSettings(Closed):
    """Keys of the toy method."""

    aim_weight: NonNegative
    aim_rate: Positive


class Aiming(TrainedModel):
    """The Re-ID model, and a linear layer that shall find each image's own prototype."""

    def __init__(self, reid, settings, width):
        super().__init__(reid, settings)
        self.aim = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.aim.weight)

    def rated(self, settings):
        return [*super().rated(settings), (self.aim, settings.aim_rate)]

    def heads(self):
        return [*super().heads(), self.aim]

    def own_terms(self, embedding, batch):
        return {"aim": (self.aim(embedding.direction) - batch.memory[batch.labels]).square().sum(dim=1).mean()}

    def report_batch(self, embedding, batch):
        return {"aim_norm": self.aim.weight.norm().item()}


AIM = Method(
    name="aiming",
    covers=lambda settings: settings.method == "aiming",
    build=lambda reid, settings, *, identities, width, networks, seed: Aiming(reid, settings, width),
    facts=lambda settings: f"aims at rate {settings.aim_rate}",
    terms=(LossTerm("aim", weight="aim_weight", label="aim", heading="‖∇ aim‖", loss=None),),
    reports={"aim_norm": "norm of the aim"},
    ignores=OF_THE_PRIOR,
    settings=AimSettings,
)


@pytest.fixture
def aiming(monkeypatch):
    """The toy method beside the others."""
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, AIM))


def test_a_method_is_declared_once(settings, walk, aiming):
    chosen = short(settings, method="aiming", aim_weight=2.0, aim_rate=5.0)
    found = walk(chosen)
    last = found.run.epochs[-1]
    assert {"loss_id", "loss_prototype", "loss_aim", "gradient_aim", "cosine_aim", "aim_norm"} <= set(last)
    assert "loss_noise" not in last and "p_max" not in last
    assert not found.run.weights["aim.weight"].equal(torch.eye(24)), "its own part trains"
    assert found.records["cosine_aim"].item() == pytest.approx(last["cosine_aim"])
    for heading in ("‖∇ aim‖", "cos(aim, others)", "norm of the aim"):
        assert heading in found.table
    assert chosen.trained() == chosen.model_copy(update={"lora_rank": 7}).trained()
    assert chosen.trained() != chosen.model_copy(update={"aim_rate": 7.0}).trained()
    assert "aim_rate" not in chosen.model_copy(update={"method": "dcac"}).trained(), "other methods do without its keys"


def test_a_method_trains_in_slices_like_all_others(settings, train, aiming, tmp_path):
    chosen = short(settings, method="aiming", aim_weight=2.0, aim_rate=5.0)
    whole, cut = (train(tmp_path / str(size), chosen, runtime=Runtime(micro_batch=size)) for size in (None, 5))
    for term in ("loss_id", "loss_aim", "gradient_aim"):
        assert cut.epochs[0][term] == pytest.approx(whole.epochs[0][term], rel=2e-3)


def plan_with(variant, keys, *, root):
    """Plan the smoke suite of a configuration that has one more variant, and keys of its method in every base."""
    for base in (root / "base").iterdir():
        base.write_text(base.read_text(encoding="utf-8") + keys, encoding="utf-8")
    with (root / "variants.yaml").open("a", encoding="utf-8") as stream:
        stream.write(f"{variant}\n")
    suite, name = root / "suites" / "smoke.yaml", variant.partition(":")[0]
    suite.write_text(
        suite.read_text(encoding="utf-8").replace("[baseline, dcac]", f"[baseline, dcac, {name}]", 1), encoding="utf-8"
    )
    return Plan.read(given={"suite": "smoke"}, root=root)


def test_the_workflow_asks_a_method_what_its_runs_need(config_dir, aiming, tmp_path):
    keys = "aim_weight: 1.0\naim_rate: 1.0\n"
    plan = plan_with(
        "aimed: {label: Aimed, method: aiming}", keys, root=shutil.copytree(config_dir, tmp_path / "config")
    )
    asked = {name: set(Artefacts(plan).run(name, "smoke-a", 0).inputs) for name in ("baseline", "dcac", "aimed")}
    assert asked["baseline"] == asked["aimed"] == {"data smoke-a", "encoder"}
    assert asked["dcac"] == {"data smoke-a", "encoder", "latents smoke-a", "prior"}
    logs = plan.figure_inputs("diagnostics")
    assert {Path(log).parents[2].name for log in logs} == {"dcac", "aimed"}


class Painting(TrainedModel):
    """A prior that learns to paint the images of the batch; nothing of the encoder learns."""

    def __init__(self, reid, settings, prior):
        super().__init__(reid, settings)
        self.prior = prior
        self.token = nn.Parameter(torch.zeros(1, 1, prior.context_width))

    @property
    def noise_steps(self):
        return len(self.prior.alphas_cumprod)

    def rated(self, settings):
        return [(self.prior, 1.0)]

    def per_image(self, embedding, batch):
        def loss(token, rows):
            view = (part[rows] for part in batch.diffusion)
            return self.prior.loss_per_image(
                context=token, **dict(zip(("latents", "noise", "steps"), view, strict=True))
            )

        return {"paint": PerImage(self.token.expand(len(batch.images), -1, -1), loss)}


PAINT = Method(
    name="painting",
    covers=lambda settings: settings.method == "painting",
    build=lambda reid, settings, *, identities, width, networks, seed: Painting(
        reid, settings, start_prior(networks["prior"], settings, seed)
    ),
    facts=lambda settings: "paints",
    needs={"latents": "diffusion_weights", "prior": "diffusion_weights"},
    terms=(LossTerm("paint", weight="noise_weight", label="paint", heading="‖∇ paint‖", loss=None),),
)


def test_a_method_may_train_its_prior_alone(settings, train, encoder_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, PAINT))
    chosen = short(settings, method="painting", id_weight=0.0, prototype_weight=0.0, noise_weight=1.0)
    runs = [train(tmp_path / str(size), chosen, runtime=Runtime(micro_batch=size)) for size in (None, 5)]
    assert runs[1].epochs[0]["loss_paint"] == pytest.approx(runs[0].epochs[0]["loss_paint"], rel=2e-3)
    for name, value in load_file(encoder_folder / "model.safetensors").items():
        assert runs[0].weights[f"reid.backbone.{name}"].equal(value), "the encoder has no loss"
    learnt = [value for name, value in runs[0].weights.items() if name.endswith("lora_B.default.weight")]
    assert learnt and any(value.any() for value in learnt)
    assert "no condition" in SAMPLES.fault(chosen), "it is not sampled from as DCAC is"


class TaughtSettings(Closed):
    """Keys of a toy method that has a teacher."""

    teacher_weights: str


class Taught(TrainedModel):
    """Features that shall be a teacher's, and tell how bright an image's latents are."""

    def __init__(self, reid, settings, teacher, width):
        super().__init__(reid, settings)
        self.teacher = teacher.requires_grad_(False)
        self.bright = nn.Linear(width, 1)

    noise_steps = 1

    def rated(self, settings):
        return [*super().rated(settings), (self.bright, 1.0)]

    def own_terms(self, embedding, batch):
        bright = self.bright(embedding.feature)[:, 0] - batch.diffusion.latents.mean(dim=(1, 2, 3))
        return {"taught": (embedding.feature - self.teacher(batch.images)).square().mean() + bright.square().mean()}


def taught(reid, settings, *, identities, width, networks, seed):
    """Build it with the teacher that `needs` asks for."""
    size = {"height": settings.image_height, "width": settings.image_width}
    return Taught(reid, settings, load_backbone(networks["teacher"], **size)[0], width)


TAUGHT = Method(
    name="taught",
    covers=lambda settings: settings.method == "taught",
    build=taught,
    facts=lambda settings: f"taught by {settings.teacher_weights}",
    needs={"latents": "diffusion_weights", "teacher": "teacher_weights"},
    terms=(LossTerm("taught", weight="noise_weight", label="taught", heading="‖∇ taught‖", loss=None),),
    settings=TaughtSettings,
)


def test_a_method_may_need_a_network_of_its_own_and_latents_without_a_prior(
    settings, train, arguments, tmp_path, monkeypatch
):
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, TAUGHT))
    chosen = short(settings, method="taught", teacher_weights="any")
    found = train(tmp_path / "run", chosen)
    assert found.epochs[0]["loss_taught"] > 0
    assert set(found.report["made"]["inputs"]) == {"data A", "latents A", "encoder", "teacher"}
    with pytest.raises(
        ValueError, match="needs the network 'teacher', which is not given; add --network teacher=FOLDER"
    ):
        train_step.run(**{**arguments(tmp_path / "none", chosen), "networks": {}})


def test_the_workflow_brings_the_networks_of_a_method(config_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, TAUGHT))
    keys = "teacher_weights: demo-encoder\n"
    plan = plan_with(
        "taught: {label: Taught, method: taught}", keys, root=shutil.copytree(config_dir, tmp_path / "config")
    )
    inputs = Artefacts(plan).run("taught", "smoke-a", 0).inputs
    assert set(inputs) == {"data smoke-a", "encoder", "latents smoke-a", "teacher"}
    assert inputs["teacher"].artefact.what == "network demo-encoder"
    looked = set(Artefacts(plan).correlation("taught", "smoke-a", 0).inputs)
    assert looked == {"run", "data smoke-a", "encoder"}


def test_a_variant_is_an_entry_of_the_configuration(config_dir, walk, tmp_path):
    root = Path(shutil.copytree(config_dir, tmp_path / "config"))
    with (root / "variants.yaml").open("a", encoding="utf-8") as stream:
        stream.write("toy: {like: dcac-loud, label: A toy, condition: pcl}\n")
    suite = root / "suites" / "smoke.yaml"
    suite.write_text(
        suite.read_text(encoding="utf-8").replace("[baseline, dcac]", "[baseline, dcac, toy]", 1), encoding="utf-8"
    )
    plan = Plan.read(given={"suite": "smoke"}, root=root)
    assert ("toy", "smoke-a", 0) in plan.runs("dg_single") and plan.labels["toy"] == "A toy"
    chosen = plan.settings("toy", "smoke-a")
    assert (chosen.noise_weight, chosen.condition, chosen.method) == (100.0, "pcl", "dcac")
    sized = {
        "image_height": 32,
        "image_width": 16,
        "images_per_identity": 2,
        "diffusion_image_size": 32,
        "precision": "fp32",
        "epochs": 1,
    }
    found = walk(chosen.model_copy(update={**sized, "decay_epochs": ()}))
    assert "A toy" in found.table and found.run.report["settings"]["noise_weight"] == 100.0


def test_a_data_set_of_a_known_layout_is_a_card(walk, settings, store, config_dir, tmp_path):
    rows = read_split(store, "train")
    pictures = tmp_path / "own"
    for place, row in enumerate(rows.itertuples()):
        part = "bounding_box_train" if row.pid < 8 else ("query", "bounding_box_test")[place % 2]
        path = pictures / part / f"{row.pid:04d}_c{place % 2 + 1}s1_{place:06d}_00.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row.data)
    root = Path(shutil.copytree(config_dir, tmp_path / "config"))
    said = adding.Said(layout=None, table=None, camera=None, cameras=True, split=None, seed=1)
    known = load_cards(root / "datasets.yaml")
    adding.run(pictures, "OWN", said, cards=known, data_root=tmp_path / "data", out=root / LOCAL)
    card = load_catalog(root / "datasets.yaml")["OWN"]
    import_data.run(pictures, tmp_path / "OWN.parquet", card=card)
    found = walk(short(settings, diffusion="none", identities_per_batch=4), source=tmp_path / "OWN.parquet")
    assert set(found.run.report["data"]) == {"OWN"} and found.run.weights["reid.classifier.weight"].shape[0] == 8
