"""The command `tinygrad-rnn`: training and sampling, drawing, compiling, and the tutorial."""
