"""Does it sound like a person? Predicted opinion scores."""
