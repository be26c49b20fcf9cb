"""Builds tiny, deterministic models with their processors, for tests; of Tunebook it knows ModelConfig."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer, PreTrainedTokenizerFast

from tunebook.config.schema import ModelConfig

SENTENCES = [
    "a warm and funny film with a great cast",
    "the plot is thin and the jokes are bad",
    "i loved every minute of this good story",
    "what a dull and boring waste of time",
    "the service was quick and the food was fine",
    "never again , the room was cold and loud",
    "does the movie end well ? yes , it does !",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_LENGTH = 64
LAYERS = 4

_BERT_LIKE = {
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": MAX_LENGTH + 2,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
TEXT: dict[str, dict[str, Any]] = {
    "bert": _BERT_LIKE,
    "roberta": _BERT_LIKE,
    "distilbert": {
        "dim": 32,
        "n_layers": LAYERS,
        "n_heads": 2,
        "hidden_dim": 48,
        "max_position_embeddings": MAX_LENGTH,
        "dropout": 0.1,
        "attention_dropout": 0.1,
    },
    "modernbert": {
        "hidden_size": 32,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": MAX_LENGTH,
        "embedding_dropout": 0.1,
        "mlp_dropout": 0.1,
        "attention_dropout": 0.1,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "cls_token_id": 2,
        "eos_token_id": 3,
        "sep_token_id": 3,
    },
    "gpt2": {
        "n_embd": 32,
        "n_layer": LAYERS,
        "n_head": 2,
        "n_positions": MAX_LENGTH,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
    },
}
IMAGE: dict[str, dict[str, Any]] = {
    "vit": {
        "image_size": 16,
        "patch_size": 4,
        "hidden_size": 32,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    },
    "resnet": {
        "embedding_size": 8,
        "hidden_sizes": [8, 16, 24, 32],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
    },
    "mobilenet_v2": {"image_size": 16, "depth_multiplier": 0.1, "finegrained_output": False},
}
_DECODER = {
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "intermediate_size": 48,
    "max_position_embeddings": MAX_LENGTH,
}
_ENCODER_DECODER = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": MAX_LENGTH,
}
_IDS = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
_BEGINS_WITH_PAD = {**_IDS, "decoder_start_token_id": 0}
_T5 = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
TASK_MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("AutoModelForCausalLM", "llama", {**_DECODER, **_IDS, "tie_word_embeddings": False}),
    "llama_tied": ("AutoModelForCausalLM", "llama", {**_DECODER, **_IDS, "tie_word_embeddings": True}),
    "qwen3": ("AutoModelForCausalLM", "qwen3", {**_DECODER, **_IDS}),
    "gpt2": ("AutoModelForCausalLM", "gpt2", TEXT["gpt2"]),
    "bart": ("AutoModelForSeq2SeqLM", "bart", {**_ENCODER_DECODER, **_IDS, "decoder_start_token_id": 3}),
    "mbart": ("AutoModelForSeq2SeqLM", "mbart", {**_ENCODER_DECODER, **_IDS}),
    "marian": ("AutoModelForSeq2SeqLM", "marian", {**_ENCODER_DECODER, **_BEGINS_WITH_PAD, "decoder_vocab_size": None}),
    "t5": ("AutoModelForSeq2SeqLM", "t5", {**_T5, **_BEGINS_WITH_PAD}),
    "t5_untied": ("AutoModelForSeq2SeqLM", "t5", {**_T5, **_BEGINS_WITH_PAD}),
    "bert_tokens": ("AutoModelForTokenClassification", "bert", _BERT_LIKE),
    "bert_spans": ("AutoModelForQuestionAnswering", "bert", _BERT_LIKE),
}
"""Name -> class of transformers, architecture, settings; `vocab_size` follows from the tokenizer."""
IMAGE_SIZE = 16
LABELS = ["bad", "fair", "good"]
FAMILIES = ["bert", "distilbert", "roberta", "modernbert", "vit", "resnet"]
ALL_FAMILIES = [*FAMILIES, "mobilenet_v2", "gpt2"]
HEADS = {
    "bert": ["classifier"],
    "roberta": ["classifier"],
    "distilbert": ["pre_classifier", "classifier"],
    "modernbert": ["classifier"],
    "gpt2": ["score"],
    "vit": ["classifier"],
    "resnet": ["classifier"],
    "mobilenet_v2": ["classifier"],
}


def tiny_text_model(family: str, directory: Path | str, seed: int = 0) -> Path:
    """Saves a tiny text backbone and its tokenizer.

    The head of a classifier loaded from it is new. ModernBERT is saved with its masked-language head, as the
    public checkpoint is.

    Args:
        family: a key of `TEXT`.
        directory: where to; made when it is not there.
        seed: of the weights.

    Returns:
        The directory.
    """
    directory = Path(directory)
    tokenizer = tiny_tokenizer()
    config = AutoConfig.for_model(family, vocab_size=len(tokenizer), **TEXT[family])
    auto = AutoModelForMaskedLM if family == "modernbert" else AutoModel
    _save(auto, config, directory, seed)
    tokenizer.save_pretrained(directory)
    return directory


def tiny_image_model(family: str, directory: Path | str, seed: int = 0) -> Path:
    """Saves a tiny image backbone and its image processor (16 x 16 pixels); see `tiny_text_model`."""
    directory = Path(directory)
    _save(AutoModel, AutoConfig.for_model(family, **IMAGE[family]), directory, seed)
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    transformers.ViTImageProcessorPil(size=size, do_convert_rgb=True).save_pretrained(directory)
    return directory


def tiny_model(family: str, directory: Path | str, seed: int = 0) -> Path:
    """Saves a tiny model of any family of `TEXT` or `IMAGE`."""
    build = tiny_text_model if family in TEXT else tiny_image_model
    return build(family, directory, seed)


def tiny_task_model(name: str, directory: Path | str, seed: int = 0) -> Path:
    """Saves a tiny model of `TASK_MODELS` with its tokenizer; the backbone alone where its head is new on loading."""
    directory = Path(directory)
    auto_class, family, settings = TASK_MODELS[name]
    tokenizer = tiny_tokenizer()
    sizes = {"vocab_size": len(tokenizer)}
    if "decoder_vocab_size" in settings:
        sizes["decoder_vocab_size"] = len(tokenizer)
    config = AutoConfig.for_model(family, **{**settings, **sizes})
    auto = getattr(transformers, auto_class) if auto_class.endswith("LM") else AutoModel
    _save(auto, config, directory, seed)
    if name == "t5_untied":  # as T5 1.1: its configuration does not tell, its file holds a second matrix
        model = auto.from_pretrained(directory)
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() * 0.5)
        model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def tiny_llama(directory: Path | str, seed: int = 0) -> Path:
    """Saves a decoder whose output layer is not tied to its embeddings, and whose texts end with [SEP]."""
    tiny_task_model("llama", directory, seed)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    tokenizer.eos_token = "[SEP]"
    tokenizer.save_pretrained(directory)
    return Path(directory)


def tiny_bart(directory: Path | str, seed: int = 0) -> Path:
    """Saves an encoder-decoder of two layers each; see `tiny_task_model`."""
    return tiny_task_model("bart", directory, seed)


def tiny_t5(directory: Path | str, seed: int = 0) -> Path:
    """Saves an encoder-decoder without a table of positions; see `tiny_task_model`."""
    return tiny_task_model("t5", directory, seed)


def tiny_bert_tokens(directory: Path | str, seed: int = 0) -> Path:
    """Saves a BERT backbone for token classification; see `tiny_task_model`."""
    return tiny_task_model("bert_tokens", directory, seed)


def model_config(**settings: Any) -> ModelConfig:
    """The group `model`, from plain values."""
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    return ModelConfig.model_validate(settings)


def auto_class(family: str) -> str:
    """The classification class of a family."""
    return f"AutoModelFor{'Sequence' if family in TEXT else 'Image'}Classification"


@functools.cache
def _trained_tokenizer(sentences: tuple[str, ...]) -> str:
    """As JSON, once a process: training breaks ties in another way each time."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer.to_str()


def tiny_tokenizer(sentences: list[str] | None = None) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of some 100 tokens, trained on a few sentences; BERT's template."""
    tokenizer = Tokenizer.from_str(_trained_tokenizer(tuple(sentences or SENTENCES)))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _save(auto: Any, config: Any, directory: Path, seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        auto.from_config(config).save_pretrained(directory)
