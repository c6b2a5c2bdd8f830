"""Phone time error: are the phones spoken when the video shows them? A lip-sync measure without a lip-sync network.

Conventions
-----------
Audio is mono float32 at 16 kHz. The phones of the script and the times at which the video shows them come from the
clip's manifest. The generated speech is aligned to the same phones (`syncvoice.text.alignment`, phone head of the small
recogniser, 100 frames per second). The value is the mean absolute difference of start times over all phones, in
milliseconds; lower is better. It is defined where the dub says what the clip says (same text and language). The
aligner is not perfect: its own error is the value of the row `ground_truth`, and no row can be trusted below it.
Clips whose phone times nobody knows: `syncvoice.metrics.timing.speech_times`.
"""

from syncvoice.metrics.scorer import Score, Utterance
from syncvoice.metrics.timing.phone_alignment import PhoneAligner
from syncvoice.metrics.timing.phone_error import phone_time_error


class PhoneTimeScorer(PhoneAligner):
    """Compare the start times of phones with those that the video shows."""

    METRICS = ("phone_time_error",)

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        return [Score(self.metrics_for(utterance.row)[0], phone_time_error(*self.aligned(utterance)))]
