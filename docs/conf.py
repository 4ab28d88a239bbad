"""How Sphinx builds the documentation: every code cell is run, and every warning is an error."""

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
os.environ["OPENBLAS_NUM_THREADS"] = (
    "1"  # matrices here are small, and pages are built side by side
)

project = "tinygrad_rnn"
author = "the tinygrad_rnn authors"
copyright = "the tinygrad_rnn authors"
version = release = installed("tinygrad_rnn")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
extensions += [
    "kernels",
    "math_as_pictures",
    "op_table",
    "pictures",
    "reference",
]  # our own, in _ext
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_render_markdown_format = "myst"  # a cell can make a table
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
default_role = "py:obj"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = "tinygrad_rnn"
html_math_renderer = "pictures"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_theme_options = {"source_repository": "", "navigation_with_keys": True}
