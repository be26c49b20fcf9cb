"""Train from a recipe: accelerate launch run.py +recipe=bert_sentiment hyperparameters.learning_rate=1e-4"""

from tunebook.check import check
from tunebook.config.command import launch
from tunebook.config.schema import Config


def train(config: Config, command: str) -> None:
    # Imported here so that mistakes, --help and --cfg answer without waiting for torch.
    from tunebook.run import run

    run(config, command)


if __name__ == "__main__":
    launch(train, check)
