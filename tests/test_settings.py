"""What settings may be, alone and together; base files hold all of them, and each is read somewhere."""

import ast
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from dcac import declared
from dcac.closed import ConfigError, load_yaml, parse
from dcac.demo.recipes import DiffusionPretraining, EncoderPretraining
from dcac.methods import METHODS
from dcac.settings import Settings, dump_settings, load_settings, parse_settings

BASES = ("demo", "paper")


def validated(settings, **changes):
    """Return the settings with some replaced as a YAML file would give them."""
    return Settings.model_validate({**settings.model_dump(), **changes})


def test_normalisation_is_a_number_three_numbers_or_the_word_encoder(settings):
    got = validated(settings, pixel_mean=[0.1, 0.2, 0.3], pixel_std="encoder")
    assert got.pixel_mean == (0.1, 0.2, 0.3) and got.pixel_std == "encoder"
    assert validated(settings, pixel_mean=0.25).pixel_mean == 0.25


@pytest.mark.parametrize(
    "changes",
    [
        {"pixel_mean": [0.1, 0.2]},
        {"pixel_mean": [0.1, 0.2, 1.5]},
        {"pixel_mean": "clip"},
        {"pixel_std": [0.1, 0.0, 0.1]},
        {"pixel_std": 0},
    ],
)
def test_other_normalisations_are_refused(settings, changes):
    with pytest.raises(ValidationError, match=next(iter(changes))):
        validated(settings, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"decay_epochs": [1]},
        {"warmup_epochs": 60},
        {"erasing_min_area": 0.5, "erasing_max_area": 0.4},
        {"identities_per_batch": 1, "images_per_identity": 1},
    ],
)
def test_values_that_contradict_each_other_are_refused(settings, changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        parse(Settings, {**settings.model_dump(), **changes}, "test")


@pytest.mark.parametrize("name", BASES)
def test_base_file_holds_every_key_in_the_order_of_the_model(config_dir, name):
    assert list(load_yaml(config_dir / "base" / f"{name}.yaml")) == list(Settings.model_fields)


@pytest.mark.parametrize("name", BASES)
def test_numbers_of_the_base_files_have_the_type_of_their_key(config_dir, name):
    values = load_yaml(config_dir / "base" / f"{name}.yaml")
    plain = {
        key: field.annotation for key, field in Settings.model_fields.items() if isinstance(field.annotation, type)
    }
    assert len(plain) >= 39
    for key, kind in plain.items():
        assert type(values[key]) is kind, key


def read_settings(code):
    """Name the attributes that a text reads of something called `settings` or returned by `recipe`."""
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)]
    owner = re.compile(r"(.*\.)?(settings|recipe\(.*\))", re.DOTALL)
    return {node.attr for node in found if owner.fullmatch(ast.unparse(node.value))}


def test_only_what_is_read_of_settings_counts_as_read():
    code = "journal.epochs + self.settings.lora_rank + settings.optimiser + recipe(kind, content).data + seed.settings"
    assert read_settings(code) == {"lora_rank", "optimiser", "data"}


def test_every_key_is_read_outside_the_configuration_modules():
    package = Path(__file__).parents[1] / "dcac"
    rules = "".join(path.read_text(encoding="utf-8") for path in package.with_name("workflow").rglob("*.smk"))
    read = set(re.findall(r"\.recipe\([\w.]+\)\.(\w+)", rules))
    for path in sorted(package.rglob("*.py")):
        if path.name not in ("settings.py", "recipes.py"):
            read |= read_settings(path.read_text(encoding="utf-8"))
    read |= {key for method in METHODS for key in method.needs.values()}
    read |= {term.weight for term in declared.terms()}  # each is read under the name that its term gives
    for model in (Settings, EncoderPretraining, DiffusionPretraining):
        assert set(model.model_fields) <= read, f"{model.__name__}: nobody reads {set(model.model_fields) - read}"


def test_settings_survive_writing_and_reading(settings, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(dump_settings(settings), encoding="utf-8")
    assert load_settings(path) == settings


def test_settings_are_frozen(settings):
    with pytest.raises(ValueError, match="frozen"):
        settings.epochs = 3


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_no_number_of_a_run_is_without_end(settings, value):
    content = settings.model_dump()
    numbers = [key for key, given in content.items() if isinstance(given, float)]
    assert len(numbers) > 20
    for key in numbers:
        with pytest.raises(ConfigError, match=f"'{key}[^']*' is {value}: a number must be finite"):
            parse(Settings, {**content, key: value}, "test")


def test_no_number_of_a_run_is_a_truth_value(settings):
    content = settings.model_dump()
    for key, given in content.items():
        if not isinstance(given, bool):
            with pytest.raises(ConfigError, match=f"'{key}' is True: yes, no, on, off"):
                parse(Settings, {**content, key: True}, "test")


@pytest.mark.parametrize("key", ["adam_beta1", "adam_beta2"])
def test_an_average_that_never_forgets_is_refused_before_training(settings, key):
    with pytest.raises(ConfigError, match=f"'{key}' is 1.0"):
        parse(Settings, {**settings.model_dump(), key: 1.0}, "test")


def test_the_baseline_is_a_method_and_dcac_without_diffusion(settings):
    content = settings.model_dump()
    named = parse_settings({**content, "method": "baseline"}, "test")
    bare = parse_settings({**content, "diffusion": "none"}, "test")
    assert bare.method == "baseline" and named.trained() == bare.trained() != settings.trained()
    assert declared.needed(settings, "prior") == settings.diffusion_weights and declared.needed(named, "prior") is None
    with pytest.raises(
        ConfigError, match=r"'method' is 'dcca': no method has this name .did you mean 'dcac'.*: baseline, dcac"
    ):
        parse_settings({**content, "method": "dcca"}, "test")
