"""The paper's system and nothing else: ZipVoice, text-visual fusion, speaker encoder, guidance, solver, vocoder."""
