"""Layout of a frame: places of boxes, and paths of the wires between them."""
