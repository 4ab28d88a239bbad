"""Backpropagation through time as a program that can be read: `compile`."""

from .layer import CompiledModule, compile

__all__ = ["CompiledModule", "compile"]
