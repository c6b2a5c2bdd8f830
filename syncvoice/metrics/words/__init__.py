"""Are the words understood? Recognisers and published counting protocols."""
