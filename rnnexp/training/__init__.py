"""Training: the model whose steps record, the callback around them, the trainer."""
