"""Daisy's tests log into their own folders."""

import pytest
from daisy.logging import set_log_basedir


@pytest.fixture(autouse=True)
def own_logs(tmp_path):
    set_log_basedir(tmp_path / "logs")
