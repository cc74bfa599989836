"""Recipes of the demo's own networks."""

from dcac.demo.recipes import DiffusionPretraining, EncoderPretraining, recipe
from dcac.foreign.weights_card import load_weights


def test_recipes_of_the_demo_networks_parse(config_dir):
    recipes = [
        recipe(card.kind, card.pretraining)
        for card in load_weights(config_dir / "weights.yaml").values()
        if card.source == "demo"
    ]
    assert {type(recipe) for recipe in recipes} == {EncoderPretraining, DiffusionPretraining}
