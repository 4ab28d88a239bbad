"""Text for character models: a vocabulary, batches for truncated BPTT, and sampling."""

from .batches import batches, columns, count_batches
from .sampling import sample
from .truncated_bptt import bptt
from .vocabulary import CharVocab, one_hot

__all__ = ["CharVocab", "batches", "bptt", "columns", "count_batches", "one_hot", "sample"]


def __dir__() -> list[str]:
    return __all__
