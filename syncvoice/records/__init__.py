"""What lies between stages: clips, tasks, scores, weight files; one reader each."""
