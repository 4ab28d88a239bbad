"""Run the cells of the pages over sockets that are files, and with short error messages.

By default a kernel gets its TCP ports before it starts. Another process may take one first, which
breaks a build now and then.
"""

import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import jupyter_client
from sphinx.application import Sphinx
from traitlets import default
from traitlets.log import get_logger

SETTINGS = """c.InteractiveShell.xmode = "Minimal"
c.HistoryManager.enabled = False
c.InlineBackend.figure_formats = {"svg"}
"""
"""No traceback, because it would contain paths of this machine; no history; curves as SVG."""


class FileSocketManager(jupyter_client.AsyncKernelManager):
    """A kernel manager whose sockets are files in the folder of this build."""

    @default("transport")
    def _transport(self) -> str:
        return "ipc"

    @default("ip")
    def _ip(self) -> str:
        return mkdtemp(dir=os.environ["JUPYTER_RUNTIME_DIR"]) + "/socket"


def setup(app: Sphinx) -> dict:
    """Use this kernel manager until the build is finished."""
    folder = TemporaryDirectory(prefix="kernels")
    profile = Path(folder.name) / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text(SETTINGS, encoding="utf-8")
    os.environ |= {"IPYTHONDIR": folder.name, "JUPYTER_RUNTIME_DIR": folder.name}
    jupyter_client.AsyncKernelManager = FileSocketManager  # nbclient uses this name
    get_logger().setLevel(logging.WARNING)  # else it logs every page
    app.connect("build-finished", lambda app, error: folder.cleanup())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
