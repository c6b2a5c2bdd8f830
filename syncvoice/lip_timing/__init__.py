"""When is each word said? From text and silent lips alone: curves of the mouth, a small network, a search over time.

`visemes` groups phones by lip shape, `curves` measures the mouth, `network` tells which shape is seen when, `search`
places the phones of a text on it, `timing` joins them for a person's text. Nothing here hears the clip's sound.
"""
