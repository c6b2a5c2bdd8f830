"""From a video file to frames, tracks and crops, and back to a video file."""
