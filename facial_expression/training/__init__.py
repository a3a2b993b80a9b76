"""Training: the loop, its checkpoints, augmentation, snapshots and the numerical runtime."""
