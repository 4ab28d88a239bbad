"""How the cells of the pages run."""

c.InteractiveShell.xmode = "Minimal"  # noqa: F821  # IPython defines c
