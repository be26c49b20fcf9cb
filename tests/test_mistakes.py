"""What a user gets wrong in a configuration: each through the command itself, told in plain words, before torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.commands import typed

TOP = "# @package _global_\n"
CSV = {"train.csv": "id,reviews,label\n1,good,a\n2,bad,b\n"}
FILES = "dataset=files dataset.train=train.csv"


@dataclass(frozen=True)
class Mistake:
    """A command, what its message must say, and how many problems it must tell."""

    arguments: list[str]
    says: list[str]
    count: int = 1
    more: dict[str, Any] = field(default_factory=dict)


def said(arguments: str | list[str], *says: str, count: int = 1, **more: Any) -> Mistake:
    """A mistake; `arguments` may be one line where no argument holds a blank."""
    return Mistake(arguments.split() if isinstance(arguments, str) else arguments, list(says), count, more)


def recipe(content: str | bytes, *says: str, count: int = 1) -> Mistake:
    """A mistake in ./mine.yaml."""
    file = [*content] if isinstance(content, bytes) else content
    return said("+recipe=./mine.yaml", *says, count=count, files={"mine.yaml": file})


MISTAKES = {
    # ---- what is not installed
    "a tracker": said("runtime.report_to=clearml", "runtime.report_to", "clearml is not installed"),
    "an optimizer": said("hyperparameters.optim=galore_adamw", "galore_adamw needs the package galore_torch"),
    # ---- what is written wrong, at every level
    "option of a group": said("model=minilmm", "model=minilmm", "did you mean minilm?"),
    "option of freezing": said("freezing=head_onyl", "did you mean head_only?"),
    "key without its group": said("learning_rate=1e-4", "did you mean hyperparameters.learning_rate?"),
    "group": said("modle.name_or_path=x", "did you mean model?"),
    "key of hyperparameters": said("hyperparameters.lerning_rate=1", "(command line)", "did you mean learning_rate?"),
    "key of runtime": said("runtime.logging_step=3", "did you mean logging_steps?"),
    "key that was renamed": said("evaluation.keep=[a]", "evaluation.keep ", "renamed: use evaluation.retention"),
    "rows that are streamed": said("dataset.streaming=true", "dataset.streaming ", "mapped into memory"),
    "key of task": said("task.max_lenght=12", "did you mean max_length?"),
    "key of model": said("model.revison=main", "did you mean revision?"),
    "key of dataset": said("dataset.colums.text=x", "dataset.colums ", "did you mean columns?"),
    "key of a source": said(f"{FILES} dataset.encodng=x dataset.columns.text=reviews", "mean encoding?", files=CSV),
    "key of freezing": said("freezing=patterns freezing.defualt=train", "did you mean default?"),
    "key of run": said("run.nam=x", "did you mean name?"),
    "nested key": said("dataset.split.valdation=0.1", "dataset.split.valdation", "did you mean validation?"),
    "nested key in a list": said(
        ["freezing=patterns", "freezing.rules=[{patern: x, train: true}]"], "did you mean pattern?", count=2
    ),
    "key of a mapping": said("dataset.rows.trian=10", "dataset.rows.trian ", "did you mean train?"),
    "role": said("dataset.columns.txt=text", "did you mean text?"),
    "enum of transformers": said("hyperparameters.lr_scheduler_type=linaer", "did you mean linear?"),
    "beginning of an enum": said("hyperparameters.optim=adamw", "adamw_torch"),
    "enum of ours": said("runtime.precision=bf17", "did you mean bf16?"),
    "metric": said("task.metrics=[acuracy]", "(command line)", "did you mean accuracy?"),
    "metric twice": said("task.metrics=[accuracy,accuracy]", "named twice"),
    "recipe": said("+recipe=bert_sentimnt", "did you mean bert_sentiment?"),
    "recipe in capitals": said("+recipe=BERT_Sentiment", "did you mean bert_sentiment?"),
    "task": said("task.name=text_clasification", "did you mean text_classification?"),
    "source": said("dataset.source=file", "did you mean files?"),
    "policy": said("freezing.policy=last", "did you mean last_n?"),
    # ---- wrong types and sizes
    "text for a number": said("hyperparameters.learning_rate=fast", "should be a number, not 'fast'"),
    "text for one of two kinds": said("hyperparameters.warmup_steps=some", "should be a number, not 'some'"),
    "number for a list": said("task.metrics=3", "should be a list, such as [a, b], not 3"),
    "text for a bool": said("run.overwrite=maybe", "should be true or false"),
    "bool for a number": said("hyperparameters.seed=true", "should be a number, not true"),
    "fraction for a whole number": said("hyperparameters.seed=1.5", "should be a whole number"),
    "number for a mapping": said("dataset.split=5", "should be a mapping"),
    "text for a group": recipe(f"{TOP}model: bert_base\n", "mine.yaml:2", "should be a group of keys"),
    "nothing for a group": recipe(f"{TOP}hyperparameters:\n", "mine.yaml:2", "holds nothing"),
    "negative rate": said("hyperparameters.learning_rate=-1", "must be more than 0, not -1"),
    "infinite rate": said("hyperparameters.learning_rate=inf", "neither infinite nor NaN"),
    "empty batch": said("hyperparameters.effective_batch_size=0", "must be at least 1, not 0"),
    "wrong share": said(f"{FILES} dataset.columns.text=reviews dataset.split.test=1.5", "less than 1", files=CSV),
    "one label": said("dataset.labels=[a]", "should have at least 2 items"),
    "name with a slash": said("run.name=a/b", "letters, digits"),
    "no regular expression": said(
        ["freezing=patterns", "freezing.rules=[{pattern: '(', train: true}]"], "not a regular expression"
    ),
    # ---- transformers 4, wrong groups, what Tunebook decides
    "evaluation_strategy": said("hyperparameters.evaluation_strategy=epoch", "use hyperparameters.eval_strategy"),
    "warmup_ratio": said("hyperparameters.warmup_ratio=0.1", "use hyperparameters.warmup_steps=0.1"),
    "warmup_ratio without group": said("warmup_ratio=0.1", "use hyperparameters.warmup_steps=0.1"),
    "group_by_length": said("hyperparameters.group_by_length=true", "train_sampling_strategy=group_by_length"),
    "no_cuda": said("runtime.no_cuda=true", "use runtime.use_cpu"),
    "half_precision_backend": said("runtime.half_precision_backend=x", "use runtime.precision"),
    "hyperparameter in runtime": said("runtime.learning_rate=1", "write hyperparameters.learning_rate"),
    "runtime in hyperparameters": said("hyperparameters.logging_steps=5", "write runtime.logging_steps"),
    "hyperparameter in task": said("task.learning_rate=1", "did you mean hyperparameters.learning_rate?"),
    "option of a task in hyperparameters": said("hyperparameters.max_length=9", "did you mean task.max_length?"),
    "output_dir": said("hyperparameters.output_dir=x", "set run.output_dir or run.name"),
    "bf16": said("runtime.bf16=true", "set runtime.precision=bf16"),
    "push_to_hub": said("runtime.push_to_hub=true", "hf upload"),
    # ---- the command
    "recipe without +": said("recipe=bert_sentiment", "write +recipe=bert_sentiment"),
    "recipe alone": said("bert_sentiment", "write +recipe=bert_sentiment"),
    "group with +": said("+model=minilm", "write model=minilm"),
    "group with ++": said("++model=minilm", "write model=minilm"),
    "group taken out": said("~model", "model=NAME"),
    "group as a mapping": said(["model={name_or_path: x}"], "model.key=value"),
    "dashes": said("--learning_rate 3", "without dashes: hyperparameters.learning_rate=VALUE"),
    "dashes and =": said("--learning-rate=3", "without dashes: hyperparameters.learning_rate=3"),
    "sweep without --multirun": said("hyperparameters.seed=1,2", "hyperparameters.seed=1,2", "--multirun"),
    "one bad value of a sweep": said("-m hyperparameters.learning_rate=1e-4,-1", "must be more than 0"),
    "one bad recipe of a sweep": said("-m +recipe=bert_sentiment,bert_setiment", "did you mean bert_sentiment?"),
    "unreadable": said("run.name={a", "cannot be read", "in quotes"),
    "unreadable under --cfg": said("--cfg job model=minilmm", "did you mean minilm?"),
    "broken reference": said("run.name=${model.nam}", "run.name", "refers to model.nam"),
    "code on the command line": said("model._target_=os.system", "never executes code"),
    "trusting on the command line": said("model.trust_remote_code=true", "never executes code"),
    # ---- recipe files
    "no such file": said("+recipe=./mien.yaml", "did you mean mine.yaml?", files={"mine.yaml": TOP}),
    "no such folder": said("+recipe=./sub/mine.yaml", "there is no folder sub"),
    "file given as a name": said("+recipe=mine", "write +recipe=./mine", files={"mine.yaml": TOP}),
    "empty name": said("+recipe=", "no such recipe"),
    "no package line": recipe("run: {name: x}\n", "has no '# @package _global_' line"),
    "other package": recipe("# @package model\nrevision: x\n", "must be '# @package _global_'"),
    "_target_": recipe(f"{TOP}model:\n  _target_: os.system\n", "mine.yaml:3", "never names code"),
    "_target_ deep down": recipe(f"{TOP}model:\n  config: {{a: [{{_target_: x}}]}}\n", "mine.yaml:3", "names code"),
    "trust_remote_code": recipe(f"{TOP}model:\n  trust_remote_code: true\n", "never executes code"),
    "environment variables": recipe(f"{TOP}run:\n  name: ${{oc.env:HOME}}\n", "mine.yaml:3", "${oc.env:…}"),
    "broken reference in a file": recipe(f"{TOP}run:\n  name: ${{model.nam}}\n", "mine.yaml:3", "refers to model.nam"),
    "hydra block": recipe(f"{TOP}hydra:\n  launcher: x\n", "mine.yaml:2", "cannot configure Hydra"),
    "hydra launcher": recipe(f"{TOP}defaults:\n  - override /hydra/launcher: joblib\n", "cannot configure Hydra"),
    "option in defaults": recipe(f"{TOP}defaults:\n  - override /model: minilmm\n", "mine.yaml:3", "mean minilm?"),
    "group in defaults": recipe(f"{TOP}defaults:\n  - override /modle: minilm\n", "mine.yaml:3", "mean model?"),
    "defaults without override": recipe(f"{TOP}defaults:\n  - /model: minilm\n", "`- override /model: minilm`"),
    "defaults without slash": recipe(f"{TOP}defaults:\n  - override model: minilm\n", "`- override /model: minilm`"),
    "defaults as a mapping": recipe(f"{TOP}defaults:\n  override /model: minilm\n", "should be a list"),
    "recipe in a recipe": recipe(f"{TOP}defaults:\n  - bert_sentiment\n", "complete by itself"),
    "path in defaults": recipe(f"{TOP}defaults:\n  - override /model: ../../x\n", "no such option"),
    "empty file": recipe("", "is empty"),
    "header only": recipe(TOP, "sets nothing"),
    "not YAML": recipe(f"{TOP}a: [1\nb: 2\n", "mine.yaml:3", "is not YAML"),
    "Python in YAML": recipe(f"{TOP}a: !!python/name:os.system\n", "is not YAML"),
    "not UTF-8": recipe(b"# \xff\xfe", "is not UTF-8"),
    "list at top": recipe(f"{TOP}- a\n", "should be a mapping of groups"),
    "repeated key": recipe(f"{TOP}run:\n  name: a\n  name: b\n", "run.name", "mine.yaml:4", "is set twice"),
    "unknown key": recipe(f"{TOP}# x\nhyperparameters:\n  lerning_rate: 3\n", "(mine.yaml:4)", "mean learning_rate?"),
    "name that climbs out": said("+recipe=sub/../../x", "cannot leave the recipe folders"),
    "link out of the folder": said(
        "+recipe=linked",
        "is a link that leaves",
        files={"b.yaml": TOP, "r/a.yaml": TOP},
        links={"r/linked.yaml": "../b.yaml"},
        environment={"TUNEBOOK_RECIPES": "r"},
    ),
    "folder of recipes": said("", "nowhere", "TUNEBOOK_RECIPES", environment={"TUNEBOOK_RECIPES": "nowhere"}),
    # ---- combinations
    "stopping early unevaluated": said(
        "hyperparameters.eval_strategy=no hyperparameters.early_stopping_patience=2",
        "early_stopping_patience",
        "set hyperparameters.eval_strategy=epoch",
        count=2,
    ),
    "best by what is not measured": said("hyperparameters.metric_for_best_model=acuracy", "did you mean accuracy?"),
    "somebody's metric": said(["task.metrics=['hub:someone/evil']"], "refused"),
    "metric of unknown direction": said(["task.metrics=['hub:bleu']"], "greater_is_better", "must be given"),
    "wrong direction": said("hyperparameters.greater_is_better=false", "must be true for accuracy"),
    "accumulation and effective batch": said(
        "hyperparameters.gradient_accumulation_steps=4", "follows from effective_batch_size=32"
    ),
    "checkpoint and scratch": said("model.config={model_type:bert}", "model.config", "add model=auto"),
    "neither checkpoint nor scratch": said("model=auto", "model.name_or_path", "must be given"),
    "revision of another model": said("model.name_or_path=a/b", "add model=auto in front"),
    "folder of a model": said("model=auto model.name_or_path=./modle", "mean model?", files={"model/a": ""}),
    "saving and evaluating apart": said("runtime.save_strategy=steps", "must equal hyperparameters.eval_strategy"),
    "steps without a number": said("hyperparameters.eval_strategy=steps", "eval_steps", "for instance 100"),
    "dataset of another task": said("dataset=digits", "conf/dataset/digits.yaml:4", "for another task"),
    # ---- files
    "no training file": said("dataset=files", "dataset.train", "must be given"),
    "training file": said("dataset=files dataset.train=trian.csv", "did you mean train.csv?", files=CSV),
    "folder of images": said("+recipe=vit_images dataset.path=fotos", "mean photos?", files={"photos/a": ""}),
    "column": said(f"{FILES} dataset.columns.text=review", "it has: id, reviews, label", "mean reviews?", files=CSV),
    "ending": said("dataset=files dataset.train=a.xlsx", "ending '.xlsx'", "dataset.format", files={"a.xlsx": ""}),
    "files without dataset=files": said("dataset.train=train.csv", "dataset.source=files", "dataset=NAME", files=CSV),
    "n of another policy": said("freezing.n=2", "a key of freezing.policy=first_n", "or freezing.policy=last_n only"),
    "shares of everything": said(
        f"{FILES} dataset.columns.text=reviews dataset.split={{validation:0.5,test:0.5}}", "below 1", files=CSV
    ),
    # ---- everything at once
    "seven at once": said(
        "+recipe=./mine.yaml model=minilmm hyperparameters.warmup_ratio=0.1 dataset.split.valdation=0.1 "
        "runtime.seed=3 task.metrics=[acuracy]",
        "7 problems",
        *["mean minilm?", "warmup_steps=0.1", "mean validation?", "write hyperparameters.seed", "mean accuracy?"],
        *["(mine.yaml:3)", "(mine.yaml:4)"],
        count=7,
        files={"mine.yaml": f"{TOP}hyperparameters:\n  lerning_rate: 3\n  max_grad_norm: big\n"},
    ),
    "keys and files at once": said(
        "dataset=files dataset.train=trian.csv hyperparameters.lerning_rate=1",
        *["mean train.csv?", "mean learning_rate?"],
        count=2,
        files=CSV,
    ),
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """Every command's outcome: they share one process, since none of them may import torch."""
    found = typed([{"arguments": mistake.arguments, **mistake.more} for mistake in MISTAKES.values()])
    return dict(zip(MISTAKES, found, strict=True))


def test_the_table_is_long_enough():
    assert len(MISTAKES) >= 45


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told(name, outcomes):
    mistake, outcome = MISTAKES[name], outcomes[name]
    assert not outcome["imported"], outcome
    assert outcome["code"] == 2, outcome["output"]
    assert "Traceback" not in outcome["output"]
    assert outcome["output"].startswith(f"{mistake.count} problem"), outcome["output"]
    assert len(outcome["output"].splitlines()) == mistake.count + 1, outcome["output"]
    for part in mistake.says:
        assert part in outcome["output"], outcome["output"]


def test_only_one_rank_speaks():
    silent, speaking = typed([{"arguments": ["model=minilmm"], "environment": {"RANK": rank}} for rank in ("1", "0")])
    assert (silent["code"], silent["output"]) == (2, "")
    assert speaking["output"]


def test_a_good_command_passes_the_check():
    # The watch stops it where training would begin, which is the only import of a heavy library.
    outcome = typed([{"arguments": ["+recipe=bert_sentiment"]}])[0]
    assert outcome["imported"]
