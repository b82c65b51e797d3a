"""A test of real time that fails while the machine stood still runs again, twice at most.

One that fails while the machine kept time has failed (decision 0140).
"""

from collections.abc import Generator

import pytest

from hil_tests.stillness import Stillness


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    yield from _watched()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield from _watched()


def _watched() -> Generator[None, None, None]:
    with Stillness() as stillness:
        try:
            return (yield)
        except Exception as error:
            stillness.explain(error)
            raise
