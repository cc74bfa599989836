"""What is exported equals the run, is scored like it, and says what it is."""

import json
import shutil
import sys

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file

import dcac
from dcac.data.store import read_split
from dcac.evaluation import evaluate, score
from dcac.features import extract
from dcac.networks import export
from dcac.networks.portable import affine

FORMS = ("net.onnx", "net.pt2", "net")


@pytest.fixture(scope="module")
def exported(run_folder, tmp_path_factory):
    """Return a function that exports the run in a form, once."""
    pytest.importorskip("onnxscript", reason="writing ONNX needs the extra onnx")
    root, done = tmp_path_factory.mktemp("exported"), {}

    def write(form):
        if form not in done:
            export.run(run_folder=run_folder, out=root / form, scores=[], encoder=None)
            done[form] = root / form
        return done[form]

    return write


@pytest.mark.parametrize("form", FORMS)
def test_features_equal_the_runs_for_any_number_of_images(exported, run_folder, store, form):
    pytest.importorskip("onnxruntime", reason="reading ONNX needs the extra onnx")
    data = list(read_split(store, "query")["data"])
    wanted = dcac.load(run_folder).encode(data)
    network = dcac.load(exported(form))
    for count in (1, 5, len(data)):
        assert np.abs(network.encode(data[:count]) - wanted[:count]).max() < 1e-5
    assert network.card.metric == "cosine" and network.card.trained_on == ("A",)


def test_the_onnx_file_wants_colours_from_0_to_1_and_nothing_else(exported, run_folder, store):
    runtime = pytest.importorskip("onnxruntime", reason="reading ONNX needs the extra onnx")
    session = runtime.InferenceSession(str(exported("net.onnx")))
    assert [(i.name, i.shape[1:]) for i in session.get_inputs()] == [("images", [3, 32, 16])]
    pixels = np.random.default_rng(0).random((7, 3, 32, 16), dtype=np.float32)
    model, settings = dcac.networks.trained.load_reid(run_folder, encoder=None)
    with torch.no_grad():
        wanted = model.embed((torch.from_numpy(pixels) - settings.pixel_mean) / settings.pixel_std).numpy()
    np.testing.assert_allclose(session.run(None, {"images": pixels})[0], wanted, atol=1e-5)


def test_plain_timm_gives_features_whose_direction_is_the_runs(exported, run_folder, store):
    folder = exported("net")
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    network = dcac.load(run_folder)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 16), dtype=np.uint8)
    cfg = model.pretrained_cfg
    assert cfg["input_size"] == (3, 32, 16) and cfg["crop_mode"] == "squash"
    mean, std = (torch.tensor(cfg[name])[:, None, None] for name in ("mean", "std"))
    with torch.no_grad():
        z = model((torch.from_numpy(pixels).float() / 255 - mean) / std)
    np.testing.assert_allclose(torch.nn.functional.normalize(z).numpy(), network.encode_pixels(pixels), atol=1e-5)


def test_a_projection_takes_bnneck_in(run_folder, encoder_folder, tmp_path, settings):
    """Of an encoder that ends in a linear layer without bias, as CLIP's does, the layer's rows are scaled."""
    from dcac.model.encoder import ReIDModel
    from dcac.networks.portable import with_bnneck

    torch.manual_seed(0)
    backbone = timm.create_model(
        "vit_tiny_patch16_224", num_classes=10, img_size=(32, 16), patch_size=8, embed_dim=24, depth=1, num_heads=2
    )
    backbone.head.bias = None
    model = ReIDModel(backbone, 10, 3).eval()
    with torch.no_grad():
        model.bnneck.running_mean.normal_()
        model.bnneck.running_var.uniform_(0.5, 2)
        model.bnneck.weight.uniform_(0.5, 2)
    images = torch.randn(3, 3, 32, 16)
    with torch.no_grad():
        wanted = model.bnneck(model.backbone(images))
        torch.testing.assert_close(with_bnneck(model)(images), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [
        ("resnet10t", {}),
        ("convnext_atto", {}),
        (
            "swin_tiny_patch4_window7_224",
            {"img_size": (64, 32), "window_size": 2, "embed_dim": 12, "depths": (1, 1, 1, 1)},
        ),
        ("vit_demo_conv16_128", {"img_size": (64, 32), "embed_dim": 12, "depth": 1}),
    ],
)
def test_encoders_of_every_family_are_written_and_read(settings, tmp_path, architecture, arguments):
    from dcac.foreign.network_card import NetworkCard
    from dcac.model.encoder import ReIDModel

    chosen = settings.model_copy(update={"image_height": 64, "image_width": 32})
    torch.manual_seed(0)
    backbone = timm.create_model(architecture, num_classes=0, **arguments)
    model = ReIDModel(backbone, backbone.num_features, 3).eval()
    with torch.no_grad():
        model.bnneck.running_mean.normal_()
        model.bnneck.running_var.uniform_(0.5, 2)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 64, 32), dtype=np.uint8)
    wanted = model.embed((torch.from_numpy(pixels).float() / 255 - 0.5) / 0.5).numpy()
    card = NetworkCard(view=export.plain_view(chosen))
    config = {"architecture": architecture, "num_classes": 0, "model_args": arguments}
    export.write_folder(model, chosen, card, tmp_path / "net", config=config, text="card")
    np.testing.assert_allclose(dcac.load(tmp_path / "net").encode_pixels(pixels), wanted, atol=1e-5)


def test_bnneck_is_affine_channel_by_channel():
    layer = torch.nn.BatchNorm1d(2).eval()
    with torch.no_grad():
        layer.running_mean.copy_(torch.tensor([1.0, -2.0]))
        layer.running_var.copy_(torch.tensor([4.0, 0.25]))
        layer.weight.copy_(torch.tensor([3.0, 1.0]))
    scale, shift = affine(layer)
    torch.testing.assert_close(scale, torch.tensor([1.5, 2.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(shift, torch.tensor([-1.5, 4.0]), atol=1e-4, rtol=0)


@pytest.fixture
def targets(store, other_store, tmp_path):
    """Both data sets with their queries' other camera as a gallery."""
    from dcac.data.store import Record, write_store

    made = []
    for source in (store, other_store):
        rows = read_split(source, "query")
        records = [
            Record("gallery" if row.camid else "query", row.pid, row.camid, "X", row.path, row.data)
            for row in rows.itertuples()
        ]
        rows = read_split(source, "train")
        records += [Record("gallery", row.pid + 100, row.camid, "X", row.path, row.data) for row in rows.itertuples()]
        made.append(tmp_path / "data" / f"{source.stem}.parquet")
        write_store(records, made[-1], facts={"dataset": source.stem, "version": "1"})
    return made


@pytest.mark.parametrize("form", FORMS)
def test_an_exported_network_scores_what_the_feature_file_of_the_run_scores(
    exported, run_folder, targets, tmp_path, form
):
    names = {"suite": "s", "variant": "baseline", "sources": "A", "seed": 0}
    config = run_folder.parents[1] / "config.yaml"
    encoder = run_folder.parents[1] / "weights" / "tiny"
    extract.run(
        run_folder=run_folder,
        config=config,
        encoder=encoder,
        stores=targets,
        names=names,
        out=tmp_path / "f",
        device="cpu",
    )
    wanted = {t.stem: score.run(tmp_path / f"f/{t.stem}.npz", tmp_path / f"{t.stem}.json")["mAP"] for t in targets}
    got = {
        code: record["mAP"]
        for code, record in evaluate.run(network=dcac.load(exported(form)), stores=targets, out=tmp_path / "e")
    }
    assert got.keys() == wanted.keys()
    for code, value in wanted.items():
        assert abs(got[code] - value) < 1e-6


def test_the_model_card_states_data_terms_and_scores_with_intervals(run_folder, targets, tmp_path):
    results = tmp_path / "results"
    run = shutil.copytree(run_folder, results / "demo/runs/baseline/A/seed0")
    shutil.copytree(run_folder.parents[1] / "weights", results / "weights")
    names = {"suite": "demo", "variant": "baseline", "sources": "A", "seed": 0}
    config, encoder = run_folder.parents[1] / "config.yaml", results / "weights/tiny"
    extract.run(
        run_folder=run, config=config, encoder=encoder, stores=targets, names=names, out=tmp_path / "f", device="cpu"
    )
    kept = score.run(tmp_path / "f/B.npz", results / "demo/scores/baseline/A/seed0/B.json")
    given = score.run(tmp_path / "f/A.npz", tmp_path / "A.json")
    export.run(run_folder=run, out=tmp_path / "net", scores=[tmp_path / "A.json"], encoder=None)
    text = (tmp_path / "net/README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---")[1])
    assert head["library_name"] == "timm"
    values = {r["dataset"]["name"]: [m["value"] for m in r["metrics"]] for r in head["model-index"][0]["results"]}
    assert values == {
        s["meta"]["target"]: [round(100 * s["mAP"], 2), round(100 * s["rank1"], 2)] for s in (kept, given)
    }
    low, high = kept["interval"]["mAP"]
    assert f"| B | cosine | {100 * kept['mAP']:.1f} [{100 * low:.1f}, {100 * high:.1f}] |" in text
    for section in ("Intended use", "Training data and their terms", "Metrics", "Licence"):
        assert f"## {section}" in text
    assert "- A: terms not known here" in text  # no card of that name in config/


def test_a_score_of_another_run_is_refused(run_folder, tmp_path):
    path = tmp_path / "s.json"
    content = {"meta": {"run": "another", "target": "B"}, "mAP": 0.1, "rank1": 0.1, "interval": {}, "metric": "cosine"}
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"s.json is no score of .*, but of another run"):
        export.run(run_folder=run_folder, out=tmp_path / "net", scores=[path], encoder=None)


def test_other_names_and_folders_of_others_are_refused(run_folder, tmp_path):
    with pytest.raises(ValueError, match=r"neither .onnx nor .pt2 nor a folder"):
        export.run(run_folder=run_folder, out=tmp_path / "net.pth", scores=[], encoder=None)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("keep me")
    with pytest.raises(ValueError, match=r"holds other files than an exported network"):
        export.run(run_folder=run_folder, out=tmp_path / "mine", scores=[], encoder=None)
    assert (tmp_path / "mine/letter.txt").read_text() == "keep me"


def test_what_differs_from_the_run_is_deleted(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "with_bnneck", lambda model: _shifted(model))
    with pytest.raises(ValueError, match=r"differs from .* and was deleted"):
        export.run(run_folder=run_folder, out=tmp_path / "net", scores=[], encoder=None)
    assert not (tmp_path / "net").exists()


def _shifted(model):
    from dcac.networks.portable import with_bnneck

    whole = with_bnneck(model)
    with torch.no_grad():
        whole.head.bias += 1
    return whole


def test_an_exported_folder_can_start_a_training_again(exported):
    from dcac.model.encoder import load_backbone

    model, dim = load_backbone(exported("net"), height=32, width=16)
    assert dim == 24 and model.num_classes == 0
    state = load_file(exported("net") / "model.safetensors")
    assert torch.equal(model.state_dict()["norm.weight"], state["norm.weight"])


def test_without_the_extra_its_name_is_said(run_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"pip install 'dcac\[onnx\]'"):
        export.run(run_folder=run_folder, out=tmp_path / "net.onnx", scores=[], encoder=None)
