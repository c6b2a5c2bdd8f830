"""What each part of dubbing costs: time and memory measured here, operations counted, also of the public sizes."""
