"""When is what said? Phone times against the picture or the clip's own sound."""
