"""python -m tests.bench.checkpoint FOLDER [HIDDEN]: a small random reward model to time the engine with on a CPU.

Its tokenizer is trained on the written tickets, so that they have about as many tokens as for a real model.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scoring.bench import requests
from tests.scoring import checkpoints

_VOCABULARY, _TEXTS = 8_000, 1_000

if __name__ == "__main__":
    reader = checkpoints.tokenizer([request.text for request in requests(_TEXTS)], _VOCABULARY)
    checkpoints.make(Path(sys.argv[1]), hidden=int((*sys.argv, 64)[2]), read_with=reader)
