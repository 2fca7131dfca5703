"""Fixtures for all tests. `shared` is the folder of real data named by WEIGH_TEST_DATA."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REASON = "WEIGH_TEST_DATA is not set: real data for tests are not at hand"
_skipped_for_shared: list[str] = []


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets; tests that use it are skipped, and counted, where it is absent."""
    folder = os.environ.get("WEIGH_TEST_DATA")
    if not folder:
        pytest.skip(REASON)
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"WEIGH_TEST_DATA={folder} is not a folder")
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Tests never touch the user's cache, settings or language."""
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("WEIGH_LANG", raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def pytest_runtest_logreport(report):
    if report.skipped and report.longrepr and REASON in str(report.longrepr):
        _skipped_for_shared.append(report.nodeid)


def pytest_terminal_summary(terminalreporter):
    if _skipped_for_shared:
        terminalreporter.write_line(f"{len(_skipped_for_shared)} tests skipped because {REASON}")


def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("CI") and os.environ.get("WEIGH_TEST_DATA") and _skipped_for_shared:
        session.exitstatus = 1
