"""The bare scorer on the worker's texts, in a process of its own: python -m tests.bench.bare SCORER BATCH < JSON"""

from __future__ import annotations

import json
import sys
import time

from django.utils.module_loading import import_string

from scoring.text import compose
from scoring.types import Request


def main() -> None:
    scorer, batch = import_string(sys.argv[1])(), int(sys.argv[2])
    requests = [Request(compose(row["subject"], [row["body"]])) for row in json.load(sys.stdin)]
    scorer.score(requests[:batch])
    started, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(requests), batch):
        scorer.score(requests[first : first + batch])
    spent = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
