"""The floor of configuration files: what cannot be read is named with file, key and remedy."""

import pytest

from dcac.closed import ConfigError
from dcac.suites import load_project


def test_missing_file_and_file_without_mapping_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config.yaml does not exist"):
        load_project(tmp_path)
    (tmp_path / "config.yaml").write_text("- demo\n")
    with pytest.raises(ConfigError, match="must hold a mapping of keys to values, found list"):
        load_project(tmp_path)
