"""Text: espeak-ng binding, the Emilia tokenizer and normal forms for error counting."""
