"""What a run knows of each cell, one file a cell; importing them loads no TensorFlow."""
