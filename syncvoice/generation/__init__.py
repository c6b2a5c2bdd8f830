"""From a trained model to speech: rows of a study, sampling, public zero-shot rules."""
