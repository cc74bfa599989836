"""What a single setting may be: here the pixel normalisation, which has three forms."""

import pytest
from pydantic import ValidationError

from dcac.settings import Settings


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
