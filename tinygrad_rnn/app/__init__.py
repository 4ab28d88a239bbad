"""The command `tinygrad-rnn`: train, sample, draw, compile, check, and show the tutorial."""
