"""What a recogniser of people understands of natural speech in the languages that no study holds.

    python -m benchmarks.timed_languages [--out results/reference/benchmarks/timed_languages.json]

Every sentence is spoken by the first two stock voices made for the language, at their own rate, and heard by Whisper
base. Five sentences a language tell a wrong table of sounds from a right one, not one voice from another. Hindi is
left out: Whisper base writes it in Urdu letters, so that its errors say nothing.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from syncvoice.audio import resample
from syncvoice.clocks import SAMPLE_RATE, SCORER_SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.networks.kokoro import Kokoro, styles
from syncvoice.places import find_weights
from syncvoice.text import japanese
from syncvoice.text.language import LANGUAGES
from syncvoice.timed_speech.script import script_of
from syncvoice.timed_speech.speaking import NaturalSpeaker
from syncvoice.timed_speech.voices import LEFT_OUT

SENTENCES = {
    "en": (
        "Tomorrow morning we will go to the market of the village together.",
        "My neighbour's dog barks all night long.",
        "Could you bring me a glass of cold water, please?",
        "The old guitar is kept in the room upstairs.",
        "I will never forget that summer by the sea.",
    ),
    "es": (
        "Mañana por la mañana iremos juntos al mercado del pueblo.",
        "El perro de mi vecino ladra toda la noche sin parar.",
        "¿Puedes traerme un vaso de agua fría, por favor?",
        "La guitarra vieja está guardada en la habitación de arriba.",
        "Nunca olvidaré aquel verano junto al mar.",
    ),
    "fr": (
        "Demain matin nous irons ensemble au marché du village.",
        "Le chien de mon voisin aboie toute la nuit.",
        "Peux-tu m'apporter un verre d'eau fraîche, s'il te plaît ?",
        "La vieille guitare est rangée dans la chambre du haut.",
        "Je n'oublierai jamais cet été au bord de la mer.",
    ),
    "it": (
        "Domani mattina andremo insieme al mercato del paese.",
        "Il cane del mio vicino abbaia tutta la notte.",
        "Puoi portarmi un bicchiere di acqua fresca, per favore?",
        "La vecchia chitarra è nella stanza di sopra.",
        "Non dimenticherò mai quella estate vicino al mare.",
    ),
    "pt": (
        "Amanhã de manhã vamos juntos ao mercado da cidade.",
        "O cachorro do meu vizinho late a noite toda.",
        "Você pode me trazer um copo de água gelada, por favor?",
        "O violão velho está guardado no quarto de cima.",
        "Nunca vou esquecer aquele verão perto do mar.",
    ),
    "ja": (
        "明日の朝、一緒に村の市場へ行きましょう。",
        "隣の犬は一晩中ほえています。",
        "冷たい水を一杯持ってきてくれますか。",
        "古いギターは二階の部屋に置いてあります。",
        "海で過ごしたあの夏を決して忘れません。",
    ),
}
VOICES = 2


def words(text: str, language: str) -> str:
    """Return small letters and digits, words apart by one space; of Japanese the morae."""
    if language == "ja":
        return " ".join(japanese.sounds(text))
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def measure(language: str, network: Kokoro, model: object) -> dict[str, object]:
    """Speak and hear all sentences of a language; error rate over all voices."""
    import jiwer
    import whisper

    own = [n for n in styles() if n[0] in LANGUAGES[language].stock and n not in LEFT_OUT]
    chosen = sorted(own)[:VOICES]
    wanted, heard = [], []
    for name in chosen:
        speaker = NaturalSpeaker(network, styles()[name])
        for text in SENTENCES[language]:
            sound = speaker.plainly(script_of(text, language)).astype(np.float32)
            sound = resample(sound, SAMPLE_RATE, SCORER_SAMPLE_RATE)
            wanted.append(words(text, language))
            transcript = whisper.transcribe(model, sound, language=language, fp16=False)["text"]
            heard.append(words(transcript, language))
    rate = round(100 * jiwer.wer(wanted, heard), 1)
    return {"voices": chosen, "sentences": len(wanted), f"{LANGUAGES[language].error_rate}_percent.whisper_base": rate}


def main() -> None:
    """Measure every language and write the file."""
    from syncvoice.metrics.words.whisper_transcripts import load_model

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/reference/benchmarks/timed_languages.json"))
    arguments = parser.parse_args()
    weights = find_weights("whisper_base")
    if weights is None:
        raise UserError("whisper_base is not here; `make natural` fetches it")
    network, model = Kokoro.from_assets(), load_model(weights)
    found = {language: measure(language, network, model) for language in SENTENCES}
    with atomic_path(arguments.out) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
