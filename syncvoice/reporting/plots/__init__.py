"""One module per kind of plot: its settings, and `draw`. A kind is found by its name; there is no list of them."""
