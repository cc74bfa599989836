"""The place of `dcac.features.feature_file` before version 0.3.0, for scripts of others; it goes with 0.4.0."""

from dcac.features.feature_file import *  # noqa: F403
