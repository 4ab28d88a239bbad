"""How the cells of the pages are run: over sockets that are files, and with errors that say no more than what is wrong.

A kernel's usual TCP ports are chosen before it starts, and whoever is quicker may have one by then: that breaks a build now and then.
"""

import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import jupyter_client
from sphinx.application import Sphinx
from traitlets import default
from traitlets.log import get_logger

SETTINGS = 'c.InteractiveShell.xmode = "Minimal"\nc.HistoryManager.enabled = False\nc.InlineBackend.figure_formats = {"svg"}\n'
"""No traceback, for it would say where on the machine the files are; nothing to remember; and curves that can be recoloured."""


class OverFiles(jupyter_client.AsyncKernelManager):
    """Starts a kernel that is spoken to over sockets in the folder of this build."""

    @default("transport")
    def _transport(self) -> str:
        return "ipc"

    @default("ip")
    def _ip(self) -> str:
        return mkdtemp(dir=os.environ["JUPYTER_RUNTIME_DIR"]) + "/socket"


def setup(app: Sphinx) -> dict:
    """Make this the way of kernels, for as long as the build lasts."""
    folder = TemporaryDirectory(prefix="kernels")
    profile = Path(folder.name) / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text(SETTINGS, encoding="utf-8")
    os.environ |= {"IPYTHONDIR": folder.name, "JUPYTER_RUNTIME_DIR": folder.name}
    jupyter_client.AsyncKernelManager = OverFiles  # which nbclient asks for
    get_logger().setLevel(logging.WARNING)  # it would tell of every page that is run
    app.connect("build-finished", lambda app, error: folder.cleanup())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
