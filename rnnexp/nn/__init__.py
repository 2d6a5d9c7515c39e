"""Networks: cells, the scan over time with its adjoint, and the keras.layers.RNN around them."""
