"""`syncvoice speak`: say a text in the voice of a recording, without a video."""

import argparse
import sys
from pathlib import Path

CONSENT = "A voice belongs to a person: imitate people only with their consent and say that the speech is synthetic."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = CONSENT
    parser.add_argument("--text", required=True, help="what is said")
    parser.add_argument("--voice", type=Path, required=True, help="recording of the voice, 0.5 to 20 s")
    parser.add_argument("--voice-text", required=True, help="what the recording says, word for word")
    parser.add_argument("--out", type=Path, required=True, help="sound to write (.wav)")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the text (default: en)")
    parser.add_argument("--voice-language", choices=("en", "zh"), help="of the recording (default: the same)")
    parser.add_argument(
        "--model",
        type=Path,
        help="folder of public ZipVoice weights, or a weight file (default: shipped)",
    )
    parser.add_argument("--vocoder", type=Path, help="weights of Vocos (default: the public ones, else shipped)")
    parser.add_argument(
        "--tokenizer", choices=("emilia", "libritts"), default="emilia", help="of public weights (default: emilia)"
    )
    parser.add_argument(
        "--reading", choices=("own", "public"), default="own", help="of English by public weights (default: own)"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="of speaking, 1 = as the recording (default: 1)")
    parser.add_argument("--steps", type=int, help="sampling steps (default: as the weights' public recipe)")
    parser.add_argument("--guidance", type=float, help="how strictly the text is followed (default: 1, distilled 3)")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another reading (default: 1)")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of the arithmetic")


def run(args: argparse.Namespace) -> None:
    """Speak, and tell what was made."""
    from syncvoice.dubbing import speak

    made = speak(
        args.text, args.voice, args.voice_text, args.out, args.language, args.voice_language, args.model, args.vocoder,
        args.tokenizer, args.speed, args.steps, args.guidance, args.seed, args.precision,
        args.reading,
    )  # fmt: skip
    sys.stdout.write(
        f"{made.out}: {made.seconds:.2f} s of synthetic speech by model {made.model}, vocoder {made.vocoder} "
        f"({made.took:.1f} s)\n"
    )
