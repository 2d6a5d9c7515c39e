"""Networks: cells, the scan over time with its hand-written adjoint, and the layer `rnnexp.RNN`."""
