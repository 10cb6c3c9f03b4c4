"""The prompt files: 24 questions to train on, as text, and the 12 that no text ever showed the model, as chat messages.

Written by `python -m examples.small_model.prompts`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from examples.small_model import grammar

DIRECTORY = Path(__file__).parent.parent / "prompts"
EACH = 4
"""Questions of each topic to train on."""


def files() -> dict[str, str]:
    """Names and contents; a row is a JSON object with the key `prompt`."""
    draw, chosen = random.Random(grammar.SEED), []
    for topic in grammar.ASSORTMENT:
        chosen += draw.sample([question for question in grammar.training_questions() if f" {topic} " in question], EACH)
    train = [{"prompt": grammar.text_prompt(question)} for question in chosen]
    held_out = [{"prompt": [{"role": "user", "content": question}]} for question in grammar.held_out_questions()]
    return {name: "".join(json.dumps(row) + "\n" for row in rows) for name, rows in (("train.jsonl", train), ("held_out.jsonl", held_out))}


def main() -> None:
    """Write them beside the examples."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, content in files().items():
        Path(DIRECTORY, name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
