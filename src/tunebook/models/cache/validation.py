"""Validates a boundary on a few rows: with cached states, logits and gradients are those of the whole model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import nn

from tunebook.models.cache.boundary import TOKENS, Boundary, batch_size_of
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.placeholders import Placeholders
from tunebook.models.cache.replay import compute_states, replayed_states
from tunebook.models.freezing import hold_frozen_in_eval
from tunebook.models.train_mode import preserved_modes

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
"""Largest difference of values relative to their size: other rows in a batch change last digits, a mistake far more."""
COARSE = 0.05
"""The same in other precisions, and on a GPU, where float32 may be TF32."""

Batch = Mapping[str, torch.Tensor]


def validate(
    model: nn.Module, boundary: Boundary, ever: Collection[str], frozen: Sequence[nn.Module], batch: Batch
) -> Placeholders | None:
    """Checks that states computed row by row and put back at the boundary give the results of the whole model.

    The outputs of all frozen modules before the boundary are replaced by NaN, so that whatever depends on them by
    another path than through the boundary becomes NaN. The model, its mode and the random state stay as they were.

    Args:
        model: in evaluation mode.
        boundary: to be validated.
        ever: names of the parameters that train in some phase.
        frozen: modules that stay in evaluation mode during training.
        batch: inputs of the model, rows of different lengths.

    Returns:
        What can replace the inputs, which then need not be read; None: they are needed.

    Raises:
        NotCacheable: the results differ; the message says in which way.
    """
    trained = {name: parameter for name, parameter in model.named_parameters() if name in ever}
    tokens = batch_size_of(batch).tokens
    with torch.random.fork_rng(devices=[p.device for p in model.parameters() if p.is_cuda][:1]):
        _check_deterministic(model, boundary, frozen, batch)
        states = states_by_row(model, boundary, batch)
        whole = _results(model, batch, trained)
        with replayed_states(model, boundary, states, tokens, fill=float("nan")):
            replayed = _results(model, batch, trained)
        _compare(whole, replayed, boundary.dtype)
        placeholders = Placeholders.of(batch, boundary)
        lengths = batch[TOKENS].sum(1) if TOKENS in batch else torch.ones(batch_size_of(batch).rows, dtype=torch.long)
        with replayed_states(model, boundary, states, placeholders.tokens(tokens), fill=float("nan")):
            try:
                without = _results(model, placeholders(lengths, tokens), trained)
            except (RuntimeError, IndexError, ValueError):
                return None  # the trained part reads the inputs
    same = all(torch.equal(one, without[name]) for name, one in replayed.items())
    return placeholders if same else None


def states_by_row(model: nn.Module, boundary: Boundary, batch: Batch) -> torch.Tensor:
    """The states of a batch as they are read from the cache: of each row alone, zeros where it has no token."""
    states_of_rows = []
    for row in range(batch_size_of(batch).rows):
        alone = {name: values[row] for name, values in batch.items()}
        mask = alone[TOKENS].bool() if TOKENS in alone else None
        if mask is not None:
            alone = {name: own[mask] if own.shape[:1] == mask.shape else own for name, own in alone.items()}
        with torch.no_grad():
            states = compute_states(model, boundary, {name: own[None] for name, own in alone.items()})[0]
        if boundary.by_token and mask is not None:
            padded = states.new_zeros((len(mask), *states.shape[1:]))
            padded[mask] = states
            states = padded
        states_of_rows.append(states)
    return torch.stack(states_of_rows)


def _results(model: nn.Module, batch: Batch, trained: Mapping[str, nn.Parameter]) -> dict[str, torch.Tensor]:
    logits = _logits(model, batch)
    joined = torch.cat([values.flatten() for values in logits.values()])
    total = (joined * torch.linspace(-1, 1, len(joined), device=joined.device)).sum()
    gradients = torch.autograd.grad(total, list(trained.values()), allow_unused=True)
    results = {f"its {name}": values.detach() for name, values in logits.items()}
    for name, gradient in zip(trained, gradients, strict=True):
        if gradient is not None:
            results[f"the gradient of {name}"] = gradient
    return results


def _logits(model: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
    """The model's outputs that are named logits; of each token (rows, tokens, …) with zeros at the padding.

    No loss counts the padding of token classification or of a causal language model, and the cache has no states there.

    Raises:
        NotCacheable: there are none.
    """
    mask = batch.get(TOKENS)
    logits = {
        name: values.float()
        for name, values in model(**batch).items()
        if name.endswith("logits") and values is not None
    }
    if not logits:
        raise NotCacheable("its output has no logits to compare")
    for name, values in logits.items():
        if mask is not None and values.dim() > 2 and values.shape[:2] == mask.shape:
            logits[name] = torch.where(mask.bool().view(*mask.shape, *[1] * (values.dim() - 2)), values, 0.0)
    return logits


def _compare(whole: Mapping[str, torch.Tensor], replayed: Mapping[str, torch.Tensor], precision: torch.dtype) -> None:
    for name in [*whole, *replayed]:
        one, other = whole.get(name), replayed.get(name)
        if one is None or other is None or (one.isfinite().all() and not other.isfinite().all()):
            raise NotCacheable(f"frozen layers change {name} by another path than through the last of them")
        if not nearly_equal(one, other, precision):
            raise NotCacheable(f"the other rows of a batch change {name}")


def nearly_equal(one: torch.Tensor, other: torch.Tensor, precision: torch.dtype | None) -> bool:
    """Whether two tensors are equal up to the order in which numbers were added.

    `precision` is the type in which they were computed; None: the first one's own.
    """
    tolerance = COARSE if one.is_cuda else TOLERANCE.get(precision or one.dtype, COARSE)
    difference = (one - other.to(one)).abs().max()
    return float(difference) <= tolerance * max(1.0, float(one.abs().max()))


def _check_deterministic(model: nn.Module, boundary: Boundary, frozen: Sequence[nn.Module], batch: Batch) -> None:
    """In training mode the states must be those of evaluation: no dropout before the boundary, no batch statistics."""
    with torch.no_grad(), preserved_modes(model):
        evaluated = compute_states(model, boundary, batch)
        model.train()
        hold_frozen_in_eval(frozen)
        if noisy := [name for name in boundary.front if _is_random(model.get_submodule(name))]:
            raise NotCacheable(f"{noisy[0]}, before what trains, changes from step to step during training")
        if not torch.equal(evaluated, compute_states(model, boundary, batch)):
            raise NotCacheable("its frozen layers give other states in training than in evaluation")


def _is_random(module: nn.Module) -> bool:
    if not module.training:
        return False
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return True
    # Stochastic depth is another class in each architecture.
    share = module.p if isinstance(module, nn.modules.dropout._DropoutNd) else getattr(module, "drop_prob", None)
    return bool(share)
