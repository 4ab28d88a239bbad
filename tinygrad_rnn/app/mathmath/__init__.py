"""The tutorial that `tinygrad-rnn mathmath` prints. The library computes all its numbers."""
