"""One module per kind of row, named like it: `Settings` is what its job reads, `speak` makes the sound.

A module also says which features it reads of the dubbed clips and of the reference recordings (`CLIP_FEATURES`,
`REFERENCE_FEATURES`), whether a trained recipe speaks (`NEEDS_RECIPE`), whether the job computes on a graphics card
where it is given one (`USES_CARD`), and `ORIGINAL = True` if it plays recordings. A new file here is a new kind.
"""
