"""Files: arrays in safetensors files without pickle, and replacement of files whole or not at all.

A file appears complete or not at all. The header of a file is checked before any array is read.
"""

from .save_load import load, load_metadata, load_with_metadata, save

__all__ = ["load", "load_metadata", "load_with_metadata", "save"]
