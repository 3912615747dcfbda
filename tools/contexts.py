"""A pytest plugin that tells coverage which test file is running.

Coverage's own way goes by functions named test*, and takes hypothesis's engine for one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from coverage import Coverage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count what a test and its fixtures run for the file it is in, and what imports run for nobody."""
    measuring = Coverage.current()
    if measuring is not None:
        measuring.switch_context(item.path.relative_to(item.config.rootpath).as_posix())
    try:
        return (yield)
    finally:
        if measuring is not None:
            measuring.switch_context("")
