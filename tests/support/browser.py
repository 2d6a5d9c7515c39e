"""Chromium, where the machine has one, driven by Playwright."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@contextlib.contextmanager
def open_page(**context: Any) -> Iterator[Page]:
    """Open an empty page of a fresh browser, which knows nothing of any user.

    Args:
        context: Of `Browser.new_context`, such as `viewport`.
    """
    with sync_playwright() as playwright:
        options = ["--disable-gpu", "--disable-quic", "--disable-sync"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            yield browser.new_context(**context).new_page()
        finally:
            browser.close()
