"""Fixtures that the tests of several rooms share."""

import gc
import signal
import sys

import pytest
from internals import registry

collect_ignore = [
    "fixtures/record_keras.py",
    "fixtures/record_pytorch.py",
]  # they need Keras and PyTorch, which the tests do not

# A shell ignores SIGINT in what it runs in the background, and nohup ignores SIGHUP. Programs that
# the tests start would inherit that.
for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(
            number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        )


def pytest_collection_finish():
    """Let the cycle collector pass over the collected tests: millions of objects that stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def restored_registry():
    """Forget the ops that a test registers, after it."""
    before = dict(registry)
    yield registry
    registry.clear()
    registry.update(before)


@pytest.fixture
def no_gc():
    """Switch the cycle collector off, so that only reference counting frees memory."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def fast_thread_switches():
    """Make threads take turns as often as they can, so that shared data shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
