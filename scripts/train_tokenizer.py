"""Trains a tokenizer on lines of text, for a model that is trained from scratch: byte-level BPE that adds </s>.

python scripts/train_tokenizer.py tokenizer 8000 train.en.gz train.de.gz
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
"""In the order of their ids, which conf/model/translator_small.yaml names."""


def train(folder: Path, size: int, files: list[Path]) -> None:
    """Trains and saves a tokenizer.

    Args:
        folder: that it is saved in.
        size: of its vocabulary, at most.
        files: of lines, plain or compressed by gzip.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator((line for file in files for line in lines(file)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 3)])
    names = dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def lines(file: Path) -> Iterator[str]:
    """The lines of a file."""
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as stream:
        yield from stream


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("size", type=int)
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    train(arguments.folder, arguments.size, arguments.files)
