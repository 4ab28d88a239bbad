"""Analysis of recorded graphs: labels, equations, backward steps, gradient flow, debugging."""
