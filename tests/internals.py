"""Everything from inside the package that tests use. If a room moves, only this file changes."""

from tinygrad_rnn import backward, serialize, tree
from tinygrad_rnn.analysis import brackets as levels
from tinygrad_rnn.analysis.brackets import fill_formula
from tinygrad_rnn.analysis.labels import escape_unprintable, label_values
from tinygrad_rnn.analysis.latex_names import format_label
from tinygrad_rnn.analysis.row_norms import row_norms
from tinygrad_rnn.analysis.rule_forms import WRITTEN
from tinygrad_rnn.analysis.rules import format_rule
from tinygrad_rnn.analysis.scopes import plain_scope
from tinygrad_rnn.app import cli, interrupt, progress, run_log
from tinygrad_rnn.app.char_model import FORMAT, Architecture, CharModel, load_model, save_model
from tinygrad_rnn.app.checkpoint_file import CheckpointFile
from tinygrad_rnn.app.checkpoint_lock import lock_checkpoint
from tinygrad_rnn.app.cli import build_parser, main
from tinygrad_rnn.app.mathmath import network, numbers
from tinygrad_rnn.app.mathmath.network import (
    TEXT,
    MathMath,
    batches,
    cross_entropy,
    one_hot,
    sample,
    train,
)
from tinygrad_rnn.app.mathmath.numbers import Lesson
from tinygrad_rnn.app.mathmath.page import PAUSE, Page, matrix
from tinygrad_rnn.app.mathmath_command import tell_tutorial
from tinygrad_rnn.app.progress import Pace
from tinygrad_rnn.app.stop_signals import StopSignals
from tinygrad_rnn.app.text_file import read_text
from tinygrad_rnn.app.train import Options, Trainer, demo_text
from tinygrad_rnn.app.transliterate import HANDLER, read_symbol, transliterate
from tinygrad_rnn.backward import backward_pass
from tinygrad_rnn.compile.guards import guard
from tinygrad_rnn.draw import render
from tinygrad_rnn.errors import NonFiniteError, NotCompilable, WrittenError
from tinygrad_rnn.errors.argument_names import ELSEWHERE
from tinygrad_rnn.gradcheck import (
    Sampler,
    cases,
    check_op,
    domain_of_inputs,
    is_elementwise,
    place_inside,
)
from tinygrad_rnn.graph import EAGER, Node, Value, context, toposort
from tinygrad_rnn.nn.dropout import reuse_masks
from tinygrad_rnn.op import Op, apply, registry
from tinygrad_rnn.ops import methods_elsewhere, names_elsewhere, numpy_protocol
from tinygrad_rnn.ops.collector import collector_paused
from tinygrad_rnn.ops.composition import compositions
from tinygrad_rnn.serialize import (
    load_metadata,
    load_with_metadata,
    safetensors_file,
    save,
    whole_file,
)
from tinygrad_rnn.serialize.file_kinds import recognise
from tinygrad_rnn.serialize.whole_file import find_target, replace_file
from tinygrad_rnn.tensor import Tensor

__all__ = [
    "EAGER",
    "ELSEWHERE",
    "FORMAT",
    "HANDLER",
    "PAUSE",
    "TEXT",
    "WRITTEN",
    "Architecture",
    "CharModel",
    "CheckpointFile",
    "Lesson",
    "MathMath",
    "Node",
    "NonFiniteError",
    "NotCompilable",
    "Op",
    "Options",
    "Pace",
    "Page",
    "Sampler",
    "StopSignals",
    "Tensor",
    "Trainer",
    "Value",
    "WrittenError",
    "apply",
    "backward",
    "backward_pass",
    "batches",
    "build_parser",
    "cases",
    "check_op",
    "cli",
    "collector_paused",
    "compositions",
    "context",
    "cross_entropy",
    "demo_text",
    "domain_of_inputs",
    "escape_unprintable",
    "fill_formula",
    "find_target",
    "format_label",
    "format_rule",
    "guard",
    "interrupt",
    "is_elementwise",
    "label_values",
    "levels",
    "load_metadata",
    "load_model",
    "load_with_metadata",
    "lock_checkpoint",
    "main",
    "matrix",
    "methods_elsewhere",
    "names_elsewhere",
    "network",
    "numbers",
    "numpy_protocol",
    "one_hot",
    "place_inside",
    "plain_scope",
    "progress",
    "read_symbol",
    "read_text",
    "recognise",
    "registry",
    "render",
    "replace_file",
    "reuse_masks",
    "row_norms",
    "run_log",
    "safetensors_file",
    "sample",
    "save",
    "save_model",
    "serialize",
    "tell_tutorial",
    "toposort",
    "train",
    "transliterate",
    "tree",
    "whole_file",
]
