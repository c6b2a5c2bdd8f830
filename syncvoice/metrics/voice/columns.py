"""Titles, units, directions and captions of the speaker similarities, in table order."""

from syncvoice.metrics.metric import Metric


def _margin(scorer: str, title: str, note: str = "") -> Metric:
    """Return the metric own less other voices (see `similarity`)."""
    return Metric(
        f"sim_margin.{scorer}", f"sim_o.{scorer}", f"SIM-o less SIM to other voices ({title})", f"SIM margin {title}",
        "higher", "", 3,
        "Similarity to the reference recording less the mean similarity to the recordings of other voices of the same"
        f" sex, clip by clip; 0 is a voice that copies nobody. {note}".rstrip(),
    )  # fmt: skip


def _similarity(scorer: str, title: str, note: str) -> tuple[Metric, Metric, Metric]:
    """Return the similarities of one speaker network (see `similarity`)."""
    own = "of embeddings of the generated speech and of the original reference recording."
    other = "of embeddings of the generated speech and of the reference recordings of all other voices of the same sex."
    file = f"sim_o.{scorer}"
    return (
        Metric(file, file, f"SIM-o ({title})", f"SIM-o {title}", "higher", "", 3, f"Cosine {own} {note}"),
        Metric(
            f"sim_o_other.{scorer}", file, f"SIM to other voices ({title})", f"SIM other {title}", "lower", "", 3,
            f"Mean cosine {other} {note}",
        ),
        _margin(scorer, title, note),
    )  # fmt: skip


_CAMPPLUS_NOTE = "No measure for models that are conditioned on this network; such a study is refused."
_SIMILARITIES = (
    *_similarity("wavlm_ecapa", "WavLM large", "The SIM-o of ZipVoice and Seed-TTS-eval."),
    *_similarity("ge2e_dvector", "GE2E d-vector", "The SPK-SIM of StyleDubber."),
    *_similarity(
        "dvector_voicefilter",
        "VoiceFilter d-vector",
        "A second opinion; where the network's weights come from is not stated by its package.",
    ),
    *_similarity("campplus_zh_en", "CAM++ zh-en", _CAMPPLUS_NOTE),
    *_similarity("campplus_voxceleb", "CAM++ VoxCeleb", _CAMPPLUS_NOTE),
    *_similarity("campplus_mini", "mini CAM++", "Trained on synthetic voices. " + _CAMPPLUS_NOTE),
)

COLUMNS = (
    Metric(
        "sim_o.ge2e_resemblyzer",
        "sim_o.ge2e_resemblyzer",
        "SIM-o (GE2E, Resemblyzer weights)",
        "SIM-o GE2E",
        "higher",
        "",
        3,
        "Cosine of GE2E embeddings of the generated speech and of the original reference recording.",
    ),
    Metric(
        "sim_o_other.ge2e_resemblyzer",
        "sim_o.ge2e_resemblyzer",
        "SIM to other voices (GE2E, Resemblyzer weights)",
        "SIM other",
        "lower",
        "",
        3,
        "Mean cosine of GE2E embeddings of the generated speech and of the reference"
        " recordings of all other voices of the same sex: the floor of SIM-o.",
    ),
    _margin("ge2e_resemblyzer", "GE2E"),
    *_SIMILARITIES,
)
