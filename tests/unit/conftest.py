# SPDX-License-Identifier: Apache-2.0
"""Unit tests never see the user's own settings: an empty home, and no variable that says where settings are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

OF_THE_USER = (
    "SSH_AUTH_SOCK",
    "PYTHONWARNINGS",
    "GOENV",
    "GOFLAGS",
    "GOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOSUMDB",
    "GOPATH",
)
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
FOLDERS = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")


@pytest.fixture(scope="session", autouse=True)
def no_own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Git, Go, Ansible, SSH and labctl find no file of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for name in (*OF_THE_USER, *FOLDERS, *PROXIES, *(name.upper() for name in PROXIES)):
            patch.delenv(name, raising=False)
        yield
