"""The place of `dcac.features.feature_file` before version 0.3.0, for scripts of others."""

from dcac.features.feature_file import *  # noqa: F403
