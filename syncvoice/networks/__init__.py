"""Networks made by others (same classes and keys as the public ones) that we see, hear or score with."""
