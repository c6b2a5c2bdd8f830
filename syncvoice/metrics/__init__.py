"""The list of metrics: the one place that the command line, config, tables, plots and report read.

A *metric* is one column of a table (`lse_d.syncnet_mini`); a *metric file* is what one job writes and may hold several
metrics (`lse.syncnet_mini`). Ids carry the scorer and, where there are variants, the protocol; titles name every scorer
that is not the one of the literature. Importing this package imports nothing heavy. As a library: see `folders`.
"""

from dataclasses import dataclass

from syncvoice.metrics.columns import COLUMNS, Direction, Metric

__all__ = ["ALIASES", "METRICS", "METRIC_FILES", "Direction", "Metric", "MetricFile", "metrics_of_file"]


@dataclass(frozen=True)
class MetricFile:
    """One scoring job.

    Attributes:
        id: name of the CSV file without its suffix.
        scorer: `module:Class` inside `syncvoice.metrics`, imported when used.
        weights: names of the shipped weights that the job reads (`weights/{name}.safetensors`).
        assets: names of the weights made by others that the job reads (`config/assets.yaml`).
        only_source: sentences that the scorer is made for ("grid"), empty = any.
        needs: inputs beside the generated speech: any of `video`, `ground_truth`, `references`, `phones`.
    """

    id: str
    scorer: str
    weights: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    only_source: str = ""


_FILES = (
    MetricFile("lse.syncnet_mini", "lip_sync.syncnet_mini:LipSyncScorer", ("syncnet",), ("video",)),
    MetricFile("lse.syncnet_v2.lrs", "lip_sync.syncnet_v2:WholeFrameScorer", (), ("video",), ("syncnet_v2",)),
    MetricFile("lse.syncnet_v2.tracked", "lip_sync.syncnet_v2:TrackedScorer", (), ("video",), ("syncnet_v2", "s3fd")),
    MetricFile(
        "lse.syncnet_v2.tracked_mediapipe",
        "lip_sync.syncnet_v2:TrackedMediaPipeScorer",
        (),
        ("video",),
        ("syncnet_v2",),
    ),
    MetricFile("wer.pocketsphinx_grid", "words.wer:PocketSphinxScorer", only_source="grid"),
    MetricFile("wer.ctc_mini", "words.wer:CtcScorer", ("recogniser",)),
    MetricFile("wer.whisper_base", "words.whisper_wer:WhisperBaseScorer", assets=("whisper_base",)),
    MetricFile("wer.whisper_large_v3", "words.whisper_wer:WhisperLargeScorer", assets=("whisper_large_v3",)),
    MetricFile("wer.whisper_large_v3.seed_tts", "words.whisper_wer:WhisperSeedTtsScorer", assets=("whisper_large_v3",)),
    MetricFile("sim_o.ge2e_resemblyzer", "voice.ge2e:SpeakerSimilarityScorer", (), ("references",)),
    MetricFile("dnsmos.p835", "naturalness.dnsmos:DnsmosScorer"),
    MetricFile("mcd_dtw.melcep13", "melody.spectral:McdScorer", (), ("ground_truth",)),
    MetricFile("phone_time_error.ctc_aligned", "timing.phone_times:PhoneTimeScorer", ("recogniser",), ("phones",)),
    MetricFile(
        "sim_o.wavlm_ecapa", "voice.wavlm:WavlmSimilarityScorer", (), ("references",), ("wavlm_large_finetune",)
    ),
    MetricFile("sim_o.ge2e_dvector", "voice.dvector:DvectorSimilarityScorer", (), ("references",), ("dvector",)),
    MetricFile("sim_o.campplus_zh_en", "voice.campplus:CamplusZhEnScorer", (), ("references",), ("campplus_zh_en",)),
    MetricFile(
        "sim_o.campplus_voxceleb", "voice.campplus:CamplusVoxcelebScorer", (), ("references",), ("campplus_voxceleb",)
    ),
    MetricFile("sim_o.campplus_mini", "voice.campplus:CamplusMiniScorer", ("speaker_encoder",), ("references",)),
    MetricFile("mos.utmos_strong", "naturalness.utmos:UtmosScorer", assets=("utmos22_strong",)),
    MetricFile("mcd_variants.melcep13", "melody.spectral:McdVariantsScorer", (), ("ground_truth",)),
    MetricFile("prosody.yin_dtw", "melody.prosody:ProsodyScorer", (), ("ground_truth",)),
    MetricFile("timing.ctc_forced", "timing.speech_times:TimingScorer", ("recogniser",), ("ground_truth",)),
)

METRICS: dict[str, Metric] = {metric.id: metric for metric in COLUMNS}
METRIC_FILES: dict[str, MetricFile] = {file.id: file for file in _FILES}

# What `syncvoice score --metric lse,wer,sim,mos` stands for: the first scorer whose weights are there.
ALIASES: dict[str, tuple[str, ...]] = {
    "lse": ("lse.syncnet_v2.tracked", "lse.syncnet_v2.tracked_mediapipe", "lse.syncnet_mini"),
    "wer": ("wer.whisper_large_v3", "wer.whisper_base", "wer.pocketsphinx_grid", "wer.ctc_mini"),
    "sim": ("sim_o.wavlm_ecapa", "sim_o.ge2e_resemblyzer"),
    "mos": ("mos.utmos_strong", "dnsmos.p835"),
}


def metrics_of_file(file: str) -> list[Metric]:
    """The metrics that a metric file holds, in table order."""
    return [metric for metric in COLUMNS if metric.file == file]
