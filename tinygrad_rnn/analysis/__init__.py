"""Analysis of recorded graphs: labels, equations, steps of the backward pass, gradients, faults."""
