"""Requests of a task: from rows, cached features and a tokenizer to what the model speaks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from syncvoice.errors import UserError
from syncvoice.features.cache import FeatureStore, Interleaved, open_features
from syncvoice.features.conditions import Seen, check_store
from syncvoice.features.mouth import opening
from syncvoice.features.speaker import FEATURE, check_speakers
from syncvoice.generation.settings import SampledSettings, Treatment, VideoSplit
from syncvoice.generation.speech import Request, Voice
from syncvoice.generation.treatments import around_shut, treated
from syncvoice.generation.work import Row, Work, failed
from syncvoice.records.tasks import Utterance
from syncvoice.seeding import rng
from syncvoice.text.base import Tokenizer

Stores = Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]  # values of clips, by split, then by feature or condition


def requests_of(settings: SampledSettings, work: Work, seen: Mapping[str, Seen], tokenizer: Tokenizer,
                swap: Literal["none", "video", "text"] = "none",
                video_split: VideoSplit = None) -> tuple[list[Request], list[Row]]:  # fmt: skip
    """Return requests of all rows that can be spoken, and failed rows with the reason for the others.

    Args:
        settings: of the row.
        work: utterances and where their features lie.
        seen: conditions that guide, with the features that the model learned with.
        tokenizer: of the model.
        swap: control, see `generation.settings`.
        video_split: split whose features guide, or several (see `VideoSplit`); None: that of each row.

    Raises:
        UserError: a feature is missing, or not the one that the model learned with.
    """
    rows = work.utterances
    references = references_of(work.features_root, rows)
    if settings.voice == "speaker":
        for stores in references.values():
            check_speakers(stores[FEATURE], settings.speaker_encoder)
    builder = RequestBuilder(
        references,
        visual_of(work.features_root, rows, seen, video_split),
        settings.seed,
        settings.voice == "speaker",
        tokenizer,
        treatments_of(settings, seen),
        [name for name, rule in settings.rules.items() if rule.where == "shut"],
        len(video_split) if isinstance(video_split, tuple) else 1,
    )
    everyone = work.whole or rows
    partners = swapped(everyone, settings.seed, swap) if swap != "none" else everyone
    partner_of = {row.utterance: partner for row, partner in zip(everyone, partners, strict=True)}
    requests, lost = [], []
    for row in rows:
        partner = partner_of[row.utterance]
        text = partner.text if swap == "text" else row.text
        video = partner.clip if swap == "video" else row.clip
        try:
            requests.append(builder.request(row, text, video))
        except UserError as error:
            lost.append(failed(row.utterance, "", str(error)))
    return requests, lost


def treatments_of(settings: SampledSettings, seen: Mapping[str, Seen]) -> Mapping[str, Treatment]:
    """Return the treatments of a row.

    Raises:
        UserError: a treatment or rule that can change nothing, one that needs lips where there are others, or a rule of
            the text about more than time.
    """
    text_rule = settings.rules.get("text")
    if text_rule is not None and (text_rule.where != "all" or text_rule.off_text):
        raise UserError(
            f"experiment {settings.experiment}: the rule of 'text' may say when it guides (schedule, until), not "
            "where or how; those are for what is seen"
        )
    guiding = {*seen, *(["text"] if settings.scales.get("text") else [])}
    for name in sorted((settings.treatments.keys() - seen.keys()) | (settings.rules.keys() - guiding)):
        guides = ", ".join(sorted(seen)) or "none"
        raise UserError(
            f"experiment {settings.experiment}: {name!r} has a rule or treatment, but does not guide "
            f"(conditions that do: {guides}); give it a scale, or take the rule away"
        )
    for name, rule in settings.rules.items():
        if rule.where == "shut" and seen[name].extractor != "mesh_lip":
            raise UserError(
                f"experiment {settings.experiment}: rule 'where: shut' of {name!r} reads the gap between the lips from "
                f"mesh_lip, but its features come from {seen[name].extractor}; take 'where: all'"
            )
    return settings.treatments


def references_of(root: Path, rows: Sequence[Utterance]) -> dict[str, dict[str, FeatureStore]]:
    """Open mel and speaker features of the splits that give the voices."""
    splits = {row.reference_split for row in rows if row.reference_split}
    return {split: open_features(root / split, ["mel", FEATURE]) for split in sorted(splits)}


def visual_of(root: Path, rows: Sequence[Utterance], seen: Mapping[str, Seen],
              video_split: VideoSplit = None) -> Stores:  # fmt: skip
    """Open the features behind every condition, by the split that is dubbed.

    Args:
        root: folder that holds SPLIT/FEATURE/shard-*.h5.
        rows: utterances.
        seen: conditions.
        video_split: split that holds the features of the same clips, or several; None: the rows' own.

    Raises:
        UserError: a feature is missing, or not the one that the model learned with.
    """
    stores: dict[str, dict[str, Mapping[str, np.ndarray]]] = {}
    for split in sorted({row.split for row in rows}):
        films = video_split if isinstance(video_split, tuple) else (video_split or split,)
        stores[split] = {}
        for name, its in seen.items():
            opened = [open_features(root / film, [its.feature])[its.feature] for film in films]
            for store in opened:
                check_store(name, its, store)
            stores[split][name] = Interleaved(opened) if len(opened) > 1 else opened[0]
    return stores


class RequestBuilder:
    """Turn task rows into requests, from cached features.

    Args:
        references: mel and speaker features of reference recordings, {split: {feature: {clip: values}}}.
        visual: features of the dubbed clips, {split: {condition: {clip: values}}}.
        seed: of the noise.
        embed: whether the voices need their speaker embedding.
        tokenizer: of the model; None takes the 360 Emilia symbols.
        treatments: of features before they guide, by condition.
        shut: conditions that guide around a shut mouth only.
        per_frame: visual features per video frame.

    >>> import numpy as np
    >>> from syncvoice.records.tasks import Utterance
    >>> references = {"reference": {"mel": {"r1": np.zeros((30, 100), np.float32)}}}
    >>> visual = {"test": {"lip": {"c1": np.zeros((25, 30), np.float32)}}}
    >>> row = Utterance(
    ...     "u1", "c1", "test", "grid", "Bin blue.", "en", "s1", "female", "no", "grid", "r1", "reference", "Set red.",
    ...     "en", 25,
    ... )
    >>> request = RequestBuilder(references, visual, seed=1).request(row, row.text, row.clip)
    >>> request.name, tuple(request.visual["lip"].shape), tuple(request.voice.mel.shape)
    ('u1', (25, 30), (30, 100))
    """

    def __init__(self, references: Stores, visual: Stores, seed: int, embed: bool = False,
                 tokenizer: Tokenizer | None = None, treatments: Mapping[str, Treatment] | None = None,
                 shut: Sequence[str] = (), per_frame: int = 1) -> None:  # fmt: skip
        """Keep open stores."""
        from syncvoice.text.tokenizer import EmiliaTokenizer

        self.references, self.visual, self.seed = references, visual, seed
        self.tokenizer = tokenizer or EmiliaTokenizer()
        self._voices: dict[str, Voice] = {}
        self._embed = embed
        self._treatments, self._shut, self._per_frame = treatments or {}, shut, per_frame

    def voice(self, row: Utterance) -> Voice:
        """Reference voice of a row, cached by reference.

        Raises:
            UserError: the row has no reference.
        """
        if not row.reference:
            raise UserError(f"utterance '{row.utterance}' has no reference recording of speaker '{row.speaker}'")
        if row.reference not in self._voices:
            store = self.references[row.reference_split]
            known = torch.from_numpy(store[FEATURE][row.reference])[0] if self._embed else None
            tokens = self.tokenizer.encode(row.reference_text, row.reference_language)
            self._voices[row.reference] = Voice(tokens, torch.from_numpy(store["mel"][row.reference]), known)
        return self._voices[row.reference]

    def request(self, row: Utterance, text: str, video: str) -> Request:
        """Request for a row that says `text` and follows the clip `video` (the row's own, but for controls).

        Raises:
            UserError: no reference, a text without a known symbol, or a video without features.
        """
        tokens = self.tokenizer.encode(text, row.language)
        if not tokens:
            raise UserError(f"utterance '{row.utterance}': text {text!r} has no symbol that the tokenizer knows")
        visual, weights = {}, {}
        for condition, store in self.visual.get(row.split, {}).items():
            if video not in store:
                raise UserError(
                    f"clip '{video}' has no features for {condition}: its face was lost (excluded.csv of the split "
                    "that guides says how)"
                )
            wanted = self._per_frame * row.n_frames
            found = torch.from_numpy(store[video])[:wanted]
            found = torch.cat([found, found[-1:].expand(wanted - len(found), -1)])
            if condition in self._shut:
                weights[condition] = around_shut(torch.from_numpy(opening(found.numpy())))
            if condition in self._treatments:
                found = treated(found, self._treatments[condition], self.seed, video)
            visual[condition] = found
        return Request(row.utterance, tokens, self.voice(row), visual, row.n_frames, self.seed, frame_weights=weights,
                       per_frame=self._per_frame)  # fmt: skip


def swapped(rows: Sequence[Utterance], seed: int, what: str) -> list[Utterance]:
    """Give every row a partner for a control: another clip, said in another text, chosen by seed.

    Partners form one cycle in random order, so every row has exactly one and none has itself; rows of equal text are
    moved apart where that is possible.

    Raises:
        UserError: fewer than two rows.
    """
    if len(rows) < 2:
        raise UserError(f"control '{what}' needs at least two utterances, the task has {len(rows)}")
    order = sorted(range(len(rows)), key=lambda i: rng(seed, "swap", what, rows[i].utterance).random())
    partner = {order[k]: order[(k + 1) % len(order)] for k in range(len(order))}
    return [rows[partner[i]] for i in range(len(rows))]
