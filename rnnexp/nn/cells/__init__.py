"""The specs of the cells, one file a cell; importing them does not import TensorFlow."""
