"""Run the command `tinygrad-rnn` as ``python -m tinygrad_rnn``."""

import sys

from .app.cli import main

sys.exit(main())
