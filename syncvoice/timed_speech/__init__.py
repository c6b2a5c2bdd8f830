"""Natural speech at given times: a public TTS model speaks a text so that its words come when they shall.

`script` turns a text into words of TTS symbols with their phones, `boundaries` lets wanted times and natural durations
give way to each other, `speaking` drives the TTS and puts its phrases into silence of the video's length, `activity`
finds phrases in the movement of a mouth for texts in another language, `voices` finds the stock voice nearest to a
recording. It is a cascade: lips to times, times to speech; no part of it was trained on the pair.
"""
