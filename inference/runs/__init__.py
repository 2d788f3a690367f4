"""The batch runner: shards, resume, retry, merge."""
