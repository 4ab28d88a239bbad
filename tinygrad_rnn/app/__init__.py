"""What people run: the command `tinygrad-rnn`, the character model it trains, and the tutorial it retells."""
