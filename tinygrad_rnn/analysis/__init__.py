"""Look at a recorded graph: labels, equations, steps of the backward pass, gradients over time, faults."""
