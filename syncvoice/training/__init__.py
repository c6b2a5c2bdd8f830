"""Fine-tuning of a recipe: objective, masking, batches, optimisers, checkpoints that resume bit-equal."""
