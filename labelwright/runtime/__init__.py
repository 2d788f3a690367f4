"""What needs torch and serves several stages: devices, weights, one training run."""
