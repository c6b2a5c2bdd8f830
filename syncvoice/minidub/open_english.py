"""Open English sentences: everyday ones from templates, and semantically unpredictable ones over a broad vocabulary.

Every sentence is drawn from (seed, index) and there is no list of them; which split it belongs to follows from its text
(`syncvoice.minidub.sentences`). All templates are written for this project.
"""

import re
from collections.abc import Sequence

import numpy as np

from syncvoice.minidub.vocabulary import with_s, words

VERSION = "1"
MAX_WORDS = 10
_SLOT = re.compile(r"\{(\w+)\}")

_OWN: dict[str, tuple[str, ...]] = {
    "name": tuple(
        "Anna Ben Carla Daniel Emma Frank Grace Henry Irene James Kate Leo Maria Nathan Olive Peter Quinn Rosa Simon "
        "Tina Victor Wendy Alice Bruno Clara David Ellen Felix Helen Ivan Julia Karl Laura Martin Nina Oscar Paula "
        "Robert Sarah Thomas Vera William Amy Jack Linda Mark Susan George".split()
    ),
    "who": (
        *("I", "we", "they", "you", "the children", "my parents", "our neighbours", "his brothers", "her sisters"),
        *("the others", "most people", "my friends", "the workers", "the guests", "both of them"),
    ),
    "modal": ("will", "can", "could", "should", "must", "might", "would"),
    "place": (
        *("kitchen", "garden", "office", "station", "airport", "library", "market", "hospital", "school", "park"),
        *("bridge", "river", "beach", "forest", "village", "harbour", "theatre", "museum", "bakery", "garage"),
        *("cellar", "hotel", "church", "stadium", "farm", "tower", "valley", "island", "corner", "hallway"),
    ),
    "when": (
        *("today", "tomorrow", "tonight", "this morning", "this afternoon", "next week", "every day", "on Monday"),
        *("on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday", "on Sunday", "at noon"),
        *("in the evening", "after dinner", "before breakfast", "in January", "in April", "in July", "in October"),
        *("last night", "at midnight", "in the summer", "during the winter", "very soon", "right now"),
    ),
    "number": (
        *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
        *("fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "ninety", "a hundred"),
    ),
    "clock": tuple("one two three four five six seven eight nine ten eleven twelve".split()),
    "colour": tuple("red blue green white black yellow brown grey orange purple pink silver golden".split()),
    "weather": tuple("cold warm windy sunny rainy cloudy foggy stormy dry icy mild".split()),
    "feeling": tuple("happy tired hungry angry sad proud nervous calm worried excited bored thirsty lonely".split()),
}
EVERYDAY: tuple[str, ...] = (
    "could you bring the {food} to the {place}",
    "{name} has lost the {colour} {artifact} again",
    "{name} and {name} are waiting near the {place}",
    "the train to the {place} leaves at {clock}",
    "please put the {artifact} behind the {artifact}",
    "where did you buy that {colour} {artifact}",
    "it will be {weather} {when}",
    "we need {number} more {artifact_s}",
    "my {person} wants to speak with you {when}",
    "I have never seen such a {adjective} {animal}",
    "there is some {food} left in the {place}",
    "{name} feels rather {feeling} {when}",
    "what happened to the {person} from the {place}",
    "they sold the old {artifact} for {number} pounds",
    "don't forget to feed the {animal}",
    "the {person} asked me about the {communication}",
    "is there a {artifact} in the {place}",
    "I would like the {food} without the {food}",
    "{who} {modal} meet at the {place} {when}",
    "our {person} lives close to the {place}",
    "can you hear the {animal} outside",
    "{name} painted the {artifact} {colour}",
    "the shop opens at {clock} and closes at {clock}",
    "turn left at the {place} and then go straight",
    "this {food} tastes better than the {food}",
    "she told us a {adjective} story about a {animal}",
    "how many {artifact_s} are there in the {place}",
    "the {person} said it would be {weather} {when}",
    "he keeps his {artifact_s} under the bed",
    "{who} {modal} call the {person} {when}",
    "I am {feeling} because of the {event}",
    "we had {food} and {food} for lunch",
    "the {place} looks {adjective} in this light",
    "nobody knows where the {person} went",
    "{name} will show you the {place} {when}",
    "the {colour} {animal} ran across the road",
    "please write your {communication} on the paper",
    "it takes {number} minutes to reach the {place}",
    "the {body} of the {person} hurts a little",
    "let us talk about the {cognition} {when}",
    "{who} {modal} not find the {artifact}",
    "her {person} bought {number} {artifact_s}",
    "the meeting about the {act} starts at {clock}",
    "give the {artifact} back to {name}",
    "{number} {animal_s} were sitting on the {artifact}",
    "I think the {person} is {adjective}",
    "thank you for the {adjective} {communication}",
    "there was too much {substance} in the {food}",
    "he walked from the {place} to the {place}",
    "have you ever been to the {place} {when}",
    "the {plant} behind the house is very {adjective}",
    "{name} {adverb} closed the {artifact}",
    "you can leave the {artifact} with the {person}",
    "{name} gave the {person} a {colour} {artifact}",
    "why are the {person_s} so {feeling}",
    "the price of {food} went up {when}",
    "all the {person_s} came by bus",
    "my {body} hurts when I carry the {artifact}",
    "sorry I thought this was your {artifact}",
    "{who} {modal} {verb_with_object} the {artifact} {when}",
)
UNPREDICTABLE: tuple[str, ...] = (
    "the {adjective} {noun} {verb_alone_s} near the {noun}",
    "the {noun} {verb_with_object_s} the {adjective} {noun}",
    "{adverb} the {noun} {verb_with_object_s} every {noun}",
    "why does the {noun} {verb_with_object} the {noun}",
    "the {noun_s} and the {noun} {verb_with_object} a {adjective} {noun}",
    "{verb_with_object} the {adjective} {noun} and the {noun}",
    "the {noun} that {verb_alone_s} was {adjective}",
    "{adjective} {noun_s} {adverb} {verb_with_object} the {noun}",
    "when does the {adjective} {noun} {verb_alone}",
    "a {noun} of {noun_s} {verb_with_object_s} my {noun}",
    "never {verb_with_object} a {noun} without the {noun}",
    "some {noun_s} {verb_alone} under the {adjective} {noun}",
    "{who} {modal} {adverb} {verb_with_object} the {noun}",
    "{name} {verb_with_object_s} {number} {adjective} {noun_s}",
)


def _all_nouns() -> tuple[str, ...]:
    return tuple(word for kind, row in words().items() if kind.startswith("noun_") for word in row)


def _choices(slot: str) -> Sequence[str]:
    """Words that fit a slot: an own list, a kind of the vocabulary or any noun; "_s" asks for the form with an s."""
    if slot in _OWN:
        return _OWN[slot]
    kind = slot.removesuffix("_s")
    if kind == "noun":
        return _all_nouns()
    return words()[kind] if kind in words() else words()[f"noun_{kind}"]


def _pick(slot: str, draw: np.random.Generator) -> str:
    """Draw a word for a slot; half of the draws take the frequent words of the list, so that the rest stays rare."""
    row = _choices(slot)
    size = max(20, len(row) // 4) if slot not in _OWN and draw.random() < 0.3 else len(row)
    word = row[int(draw.integers(min(size, len(row))))]
    return with_s(word) if slot.endswith("_s") else word


def draw_sentence(draw: np.random.Generator, templates: Sequence[str]) -> str:
    """Draw a sentence of at most MAX_WORDS words.

    Args:
        draw: random numbers.
        templates: EVERYDAY or UNPREDICTABLE.

    Returns:
        Words separated by spaces, without punctuation.
    """
    while True:
        template = templates[int(draw.integers(len(templates)))]
        text = _SLOT.sub(lambda match: _pick(match[1], draw), template)
        text = re.sub(r"\ba(?= [aeio])", "an", text)
        if len(text.split()) <= MAX_WORDS:
            return text
