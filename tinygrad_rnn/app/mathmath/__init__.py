"""The tutorial that `tinygrad-rnn mathmath` tells. The library computes all its numbers."""
