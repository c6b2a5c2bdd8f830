"""The command line: every command exists, imports stay light, problems are sentences."""

import subprocess
import sys

import pytest

from syncvoice.cli import COMMANDS, main


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert COMMANDS[command].split()[0] in capsys.readouterr().out


def test_problem_is_a_sentence_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "vocoder", "--settings", "absent.yaml", "--out", "x.safetensors"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("syncvoice: ") and "absent.yaml" in message and "Traceback" not in message


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, syncvoice.cli, syncvoice.study, syncvoice.clocks\n"
        "print([m for m in ('torch', 'lhotse', 'pandas', 'mediapipe', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
