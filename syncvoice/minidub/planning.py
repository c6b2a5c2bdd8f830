"""What is said in each clip of a split of MiniDub, and by whom.

A split is planned as a whole from its settings; everything random of a clip is drawn from (seed, clip id).
"""

from dataclasses import replace

from syncvoice.minidub.engine import Engine, PlannedClip, Wanted
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.settings import SplitSettings


def plan(seed: int, split: str, settings: SplitSettings, engine: Engine) -> list[PlannedClip]:
    """List every clip of a split, in a fixed order: English GRID, English phrases, phrases of other languages.

    Raises:
        UserError: more sentences are asked for than exist.
    """
    per_voice = settings.clips_per_voice
    counts = settings.clips or {
        language: n * sum(map(len, engine.voices(settings.voices, language))) for language, n in per_voice.items()
    }
    spoken: list[tuple[Sentence, Sentence | None]] = []
    for language in sorted(counts):
        wanted = Wanted(seed, split, settings.sentences, settings.media == "audio", counts[language])
        if settings.translate_to and language != settings.translate_to:
            spoken += engine.translations(wanted, language, settings.translate_to)
            continue
        n_grid = round(counts[language] * settings.grid_share) if language == "en" else 0
        for source, n in (("grid", n_grid), ("phrases", counts[language] - n_grid)):
            spoken += [(sentence, None) for sentence in engine.sentences(language, source, replace(wanted, n=n))]
    planned = []
    for index, (sentence, translation) in enumerate(spoken):
        groups = engine.voices(settings.voices, sentence.language)
        if per_voice:
            flat = [voice for group in groups for voice in group]
            voice = flat[index % len(flat)]
        else:
            group = groups[index % len(groups)]
            voice = group[index // len(groups) % len(group)]
        name = f"{split}_{sentence.language}{index:04d}_{voice.name}"
        planned.append(PlannedClip(name, sentence, voice, translation))
    return planned
