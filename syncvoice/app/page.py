"""The page, laid out with Gradio: three questions, a consent box, one button, and below what came out."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from syncvoice.app.form import (
    CONSENT,
    ENGINES,
    KINDS,
    MAX_SCALE,
    SAME,
    Form,
    language_choices,
    usual_kind,
    usual_scales,
)
from syncvoice.app.work import Score, Shown, Workshop

TITLE = "SyncVoice"
LEAD = (
    "Dub one clip: a video of one speaking face, what shall be said, and a voice. Everything stays on this machine and "
    "is removed when the program ends; download what you want to keep."
)
ONLY_MODELS = (
    "For the models only (small, zipvoice): how strictly the speech follows what is seen; 0 is not at all. Natural "
    "speech timed by the lips does not use them."
)
SCORES = "Each by the scorer in brackets; one clip says little about an engine."
SUBTITLES = [".srt", ".vtt", ".ass", ".ssa"]


def build_page(workshop: Workshop) -> Any:
    """Return the page as Gradio blocks."""
    import gradio as gr

    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {TITLE}\n{LEAD}")
        fields = _form(gr)
        button = gr.Button("Dub", variant="primary", elem_id="dub")
        told = gr.HTML("", elem_id="told")
        with gr.Row(visible=False) as clips:
            source = gr.Video(label="Source", interactive=False, elem_id="source", buttons=[])
            with gr.Column():
                dubbed = gr.Video(label="Dubbed", interactive=False, elem_id="dubbed", buttons=[])
                download = gr.DownloadButton("Download the dubbed clip", visible=False, elem_id="download")
        picture = gr.Image(
            show_label=False, interactive=False, visible=False, elem_id="picture", buttons=["fullscreen"], format="png",
            alt_text="Mel spectrograms of source and dub, with the opening of the lips",
        )  # fmt: skip
        scores = gr.HTML("", elem_id="scores")
        _wire(gr, workshop, fields, button, [told, clips, source, dubbed, download, picture, scores])
    return page


def _form(gr: Any) -> dict[str, Any]:
    """Lay out the questions; returns the fields by their names in `Form`."""
    fields: dict[str, Any] = {}
    with gr.Row():
        with gr.Column():
            gr.Markdown("### 1. The video", elem_classes="step")
            fields["video"] = gr.File(
                label="One face, at most 30 s (longer with subtitles)",
                file_types=["video"],
                elem_id="video",
                height=140,
            )
            gr.Markdown("### 2. What is said", elem_classes="step")
            fields["text"] = gr.Textbox(label="Text", lines=3, elem_id="text", placeholder="bin blue at f two now")
            fields["subtitles"] = gr.File(
                label="Or a subtitle file", file_types=SUBTITLES, elem_id="subtitles", height=140
            )
        with gr.Column():
            gr.Markdown("### 3. The voice", elem_classes="step")
            fields["voice"] = gr.Audio(
                label="Voice: 3 to 10 s of one person, uploaded or recorded", sources=["upload", "microphone"],
                type="filepath", elem_id="voice", buttons=[],
            )  # fmt: skip
            fields["voice_text"] = gr.Textbox(
                label="What the recording says (may stay empty)", elem_id="voice_text",
                info="With it a full-size model copies the voice more closely.",
            )  # fmt: skip
    with gr.Row():
        fields["language"] = gr.Dropdown(
            language_choices(), value="en", label="Language", elem_id="language", info="Of the text.", min_width=260
        )
        fields["kind"] = gr.Radio(
            KINDS, value=SAME, label="The text is", elem_id="kind", min_width=260,
            info="Words follow the lips, or the phrases and pauses of the mouth.",
        )  # fmt: skip
        fields["engine"] = gr.Dropdown(
            list(ENGINES.items()), value="auto", label="Who speaks", elem_id="engine", min_width=260,
            info="Automatic takes the best engine whose weights are here.",
        )  # fmt: skip
    with gr.Accordion("Guidance of the models", open=False, elem_id="guidance"):
        gr.Markdown(ONLY_MODELS)
        face, lip = usual_scales(SAME)
        with gr.Row():
            fields["face"] = gr.Slider(0, MAX_SCALE, face, step=0.5, label="Face", elem_id="face", buttons=[])
            fields["lip"] = gr.Slider(0, MAX_SCALE, lip, step=0.5, label="Lips", elem_id="lip", buttons=[])
            fields["seed"] = gr.Number(
                1, label="Seed", precision=0, minimum=0, elem_id="seed", info="Another seed is another reading."
            )
    fields["consent"] = gr.Checkbox(label=CONSENT, elem_id="consent", container=False)
    return fields


def _wire(gr: Any, workshop: Workshop, fields: dict[str, Any], button: Any, outputs: list[Any]) -> None:
    """Say what happens when a person does something."""
    told, clips, source, *results = outputs
    names = list(fields)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    fields["language"].change(usual_kind, fields["language"], fields["kind"], **quiet)
    scales = [fields["face"], fields["lip"]]
    fields["kind"].change(usual_scales, fields["kind"], scales, **quiet)

    def usable(engine: str) -> list[Any]:
        """Lock the scales for the engine that has none."""
        return [gr.update(interactive=engine != "timed")] * len(scales)

    fields["engine"].change(usable, fields["engine"], scales, **quiet)

    def look(video: str | None) -> list[Any]:
        """Show an uploaded video, or say why it cannot be shown."""
        path, lacking = workshop.source(Path(video) if video else None)
        shown = str(path) if path else None
        return [_message(lacking, "error"), gr.update(visible=shown is not None), shown]

    def run(*values: Any, progress: Any = gr.Progress()) -> Iterator[list[Any]]:  # noqa: B008 (how Gradio finds it)
        """Dub, and show what there is."""

        def show(stage: str, done: int, total: int) -> None:
            """Move the bar."""
            progress((done, total or 1), desc=stage.capitalize(), unit="steps")

        yield ["", *_results(gr, Shown())]  # what an earlier run left would be taken for this one's
        for shown in workshop.run(_read(dict(zip(names, values, strict=True))), show):
            yield [_state(shown), *_results(gr, shown)]

    fields["video"].change(
        look, fields["video"], [told, clips, source], api_visibility="private", show_progress_on=told
    )
    button.click(
        run, list(fields.values()), [told, *results], concurrency_limit=1, show_progress_on=told,
        api_visibility="private", scroll_to_output=True,
    )  # fmt: skip


def _read(values: dict[str, Any]) -> Form:
    """Return the form as filled in; a number that was emptied takes what is usual."""
    files = {name: Path(values[name]) if values[name] else None for name in ("video", "subtitles", "voice")}
    texts = {name: values[name] or "" for name in ("text", "voice_text")}
    return Form(**{**values, **files, **texts, "seed": int(values["seed"] or 0), "consent": bool(values["consent"])})


def _results(gr: Any, shown: Shown) -> list[Any]:
    """Return what the players, the button, the picture and the table show."""
    clip, image = (str(path) if path else None for path in (shown.player, shown.picture))
    return [
        clip,
        gr.DownloadButton(value=str(shown.dubbed) if shown.dubbed else None, visible=shown.dubbed is not None),
        gr.Image(value=image, visible=image is not None),
        _tables(shown),
    ]


def _state(shown: Shown) -> str:
    """Return where a run is, as HTML."""
    if shown.error:
        return _message(shown.error, "error")
    if shown.done:
        return _message("Done. The speech in the dubbed clip is synthetic; say so where you show it.", "good")
    return _message("The dubbed clip is there; its picture and scores follow.", "")


def _message(text: str, kind: str) -> str:
    """Return a sentence as HTML that screen readers announce; "" for none."""
    return f'<div class="told {kind}" role="status"><p>{html.escape(text)}</p></div>' if text else ""


def _tables(shown: Shown) -> str:
    """Return notes and scores as HTML."""
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in shown.notes)
    parts = [f"<h3>About this dub</h3><ul>{notes}</ul>"] if notes else []
    if shown.scores:
        rows = "".join(map(_row, shown.scores))
        head = "<tr><th>What</th><th>Value</th><th>Better</th></tr>"
        parts.append(f"<h3>Scores</h3><p>{SCORES}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>")
    return "".join(parts)


def _row(score: Score) -> str:
    """Return one score as a row of the table."""
    if score.note:
        text = html.escape(f"{score.question}: {score.note}")
        return f'<tr><td colspan="3" class="small">{text}</td></tr>'
    what, value, better = map(html.escape, (score.what, score.value, score.better))
    return f'<tr><td>{what}</td><td class="number">{value}</td><td>{better}</td></tr>'
