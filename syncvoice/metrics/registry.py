"""The list of metrics: what the study's checks, people's commands and reports look metrics up in.

No scoring job imports it: a job is given its scorer by name (`scorer.load_scorer`), so a new metric or a changed
caption reruns no score.
"""

from collections.abc import Iterable

from syncvoice.metrics.lip_sync import columns as lip_sync
from syncvoice.metrics.melody import columns as melody
from syncvoice.metrics.metric import Metric, MetricFile
from syncvoice.metrics.naturalness import columns as naturalness
from syncvoice.metrics.timing import columns as timing
from syncvoice.metrics.voice import columns as voice
from syncvoice.metrics.words import columns as words

_FILES = (
    MetricFile("lse.syncnet_mini", "lip_sync.syncnet_mini:SyncNetMiniScorer", ("syncnet",), ("video",)),
    *(
        MetricFile(
            f"lse.syncnet_v2.{protocol}",
            f"lip_sync.syncnet_v2:{scorer}",
            needs=("video",),
            assets=assets,
            uses_card=True,
            sees_once=True,
        )
        for protocol, scorer, assets in (
            ("lrs", "WholeFrameScorer", ("syncnet_v2",)),
            ("tracked", "TrackedScorer", ("syncnet_v2", "s3fd")),
            ("tracked_mediapipe", "TrackedMediaPipeScorer", ("syncnet_v2",)),
        )
    ),
    MetricFile("wer.pocketsphinx_grid", "words.pocketsphinx_grid:PocketSphinxScorer", only_source="grid"),
    MetricFile("wer.ctc_mini", "words.ctc_mini:CtcScorer", ("recogniser",)),
    MetricFile("wer.whisper_base", "words.whisper_wer:WhisperBaseScorer", assets=("whisper_base",), uses_card=True),
    MetricFile(
        "wer.whisper_large_v3", "words.whisper_wer:WhisperLargeScorer", assets=("whisper_large_v3",), uses_card=True
    ),
    MetricFile(
        "wer.whisper_large_v3.seed_tts",
        "words.whisper_wer:WhisperSeedTtsScorer",
        assets=("whisper_large_v3",),
        uses_card=True,
    ),
    MetricFile("sim_o.ge2e_resemblyzer", "voice.ge2e:Ge2eScorer", (), ("references",)),
    MetricFile("dnsmos.p835", "naturalness.dnsmos:DnsmosScorer"),
    MetricFile("mos.distillmos", "naturalness.distillmos:DistillMosScorer", assets=("distillmos",)),
    MetricFile("mcd_dtw.melcep13", "melody.spectral:McdScorer", (), ("ground_truth",)),
    MetricFile("phone_time_error.ctc_aligned", "timing.phone_times:PhoneTimeScorer", ("recogniser",), ("phones",)),
    MetricFile("phone_classes.ctc_aligned", "timing.phone_classes:PhoneClassScorer", ("recogniser",), ("phones",)),
    MetricFile(
        "sim_o.wavlm_ecapa",
        "voice.wavlm:WavlmSimilarityScorer",
        (),
        ("references",),
        ("wavlm_large_finetune",),
        uses_card=True,
    ),
    MetricFile("sim_o.ge2e_dvector", "voice.dvector:DvectorSimilarityScorer", (), ("references",), ("dvector",)),
    MetricFile(
        "sim_o.dvector_voicefilter",
        "voice.dvector_voicefilter:VoiceFilterSimilarityScorer",
        (),
        ("references",),
        ("voicefilter_dvector",),
    ),
    MetricFile("sim_o.campplus_zh_en", "voice.campplus:CamplusZhEnScorer", (), ("references",), ("campplus_zh_en",)),
    MetricFile(
        "sim_o.campplus_voxceleb", "voice.campplus:CamplusVoxcelebScorer", (), ("references",), ("campplus_voxceleb",)
    ),
    MetricFile("sim_o.campplus_mini", "voice.campplus:CamplusMiniScorer", ("speaker_encoder",), ("references",)),
    MetricFile("mos.utmos_strong", "naturalness.utmos:UtmosScorer", assets=("utmos22_strong",), uses_card=True),
    MetricFile("mcd_variants.melcep13", "melody.spectral:McdVariantsScorer", (), ("ground_truth",)),
    MetricFile("prosody.yin_dtw", "melody.prosody:ProsodyScorer", (), ("ground_truth",)),
    MetricFile("bleed.whisper_base", "words.spoken_language:BleedScorer", assets=("whisper_base",), uses_card=True),
    MetricFile(
        "hallucination.ctc_phones",
        "words.visual_hallucination:HallucinationScorer",
        ("recogniser",),
        ("ground_truth",),
    ),
    MetricFile("overlap.energy", "timing.overlap:OverlapScorer", needs=("ground_truth",)),
    MetricFile("timing.ctc_forced", "timing.speech_times:TimingScorer", ("recogniser",), ("ground_truth",)),
)

_ROOMS = (lip_sync, words, voice, naturalness, melody, timing)
METRICS: dict[str, Metric] = {metric.id: metric for room in _ROOMS for metric in room.COLUMNS}
METRIC_FILES: dict[str, MetricFile] = {file.id: file for file in _FILES}

# What the small scorers can tell; people who score their own folders must know it.
VALIDITY: dict[str, str] = {
    "lse.syncnet_mini": "the small SyncNet learned synthetic faces and one person. Of 11 real clips of ten GRID "
    "speakers that it never saw it finds the delay of all within a frame, yet likes another clip's sound better for 2. "
    "Its values are little evidence about new people; put the public SyncNet's weights there (config/assets.yaml: "
    "syncnet_v2)",
    "wer.ctc_mini": "the small recogniser learned synthetic voices and few words; on real speech its rate says little",
    "hallucination.ctc_phones": "the small recogniser learned synthetic voices; a difference means something only "
    "beside the recording itself and a dub without lips",
    "wer.pocketsphinx_grid": "a closed grammar of GRID's sentences: it hears no other word, so wrong speech may pass",
    "sim_o.campplus_mini": "the small speaker encoder learned few voices; its values are no SIM of papers",
}


def validity_of(files: Iterable[str]) -> list[str]:
    """Return a sentence for every metric file of these whose scorer is small or narrow."""
    return [f"Validity of {file}: {VALIDITY[file]}." for file in dict.fromkeys(files) if file in VALIDITY]


# What `syncvoice score --metric lse,wer,sim,mos` stands for: the first scorer whose weights are there.
ALIASES: dict[str, tuple[str, ...]] = {
    "lse": ("lse.syncnet_v2.tracked", "lse.syncnet_v2.tracked_mediapipe", "lse.syncnet_mini"),
    "wer": ("wer.whisper_large_v3", "wer.whisper_base", "wer.pocketsphinx_grid", "wer.ctc_mini"),
    "sim": ("sim_o.wavlm_ecapa", "sim_o.ge2e_resemblyzer"),
    "mos": ("mos.utmos_strong", "mos.distillmos", "dnsmos.p835"),
}


def metrics_of_file(file: str) -> list[Metric]:
    """The metrics that a metric file holds, in table order."""
    return [metric for metric in METRICS.values() if metric.file == file]
