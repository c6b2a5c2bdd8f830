"""Which training clips a recipe learns from when it takes a part of them."""

from collections import defaultdict
from collections.abc import Sequence

from syncvoice import clocks
from syncvoice.records.clips import Clip
from syncvoice.seeding import seed_of


def share_of(clips: Sequence[Clip], share: float, seed: int) -> list[Clip]:
    """Return a part of the clips: the same voices and languages in less of each, smaller parts inside larger ones.

    The clips of each voice and language are put in an order that (seed, clip id) decides; clip k of n stands at the
    place (k + 1/2) / n. The part is the first round(share N) of all N clips by place, at least one (our choice). Each
    voice and language therefore has its share to within one clip, and a part of a part is a part.

    Args:
        clips: all training clips.
        share: in (0, 1].
        seed: another seed takes other clips.

    Returns:
        The clips that were taken, in the order given.
    """
    drawn = {clip.id: seed_of(seed, "share", clip.id) for clip in clips}
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: (drawn[clip.id], clip.id)):
        strata[clip.speaker, clip.language].append(clip.id)
    places = {name: (k + 0.5) / len(names) for names in strata.values() for k, name in enumerate(names)}
    ordered = sorted(places, key=lambda name: (places[name], drawn[name], name))
    taken = set(ordered[: max(1, round(share * len(ordered)))])
    return [clip for clip in clips if clip.id in taken]


def hours_of(clips: Sequence[Clip]) -> float:
    """Return how long clips are together, in hours, rounded to a ten-thousandth."""
    return round(sum(clip.n_frames for clip in clips) / clocks.FPS / 3600, 4)
