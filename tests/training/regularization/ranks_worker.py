"""Runs a recipe and writes each rank's weights after training as digests; started by test_regularized.py.

usage: torchrun --nproc_per_node 2 ranks_worker.py OUT OVERRIDE…
"""

import hashlib
import json
import sys
from pathlib import Path

from tunebook import finish
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.run import run


def main(out: str, overrides: list[str]) -> None:
    evaluate = finish.evaluate

    def watched(context, trainer, cache):
        digest = hashlib.sha256()
        for name, value in sorted(trainer.plain_model.state_dict().items()):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
        Path(f"{out}.{trainer.args.process_index}").write_text(json.dumps(digest.hexdigest()))
        return evaluate(context, trainer, cache)

    finish.evaluate = watched
    run(check(compose(overrides)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
