"""The place of `dcac.features.extract` before version 0.3.0, for scripts of others; it goes with 0.4.0."""

from dcac.features.extract import *  # noqa: F403
