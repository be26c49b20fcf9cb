"""Proves on a few rows that a boundary may be served: logits and gradients are those of the whole model."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import nn

from tunebook.models.cache.boundary import TOKENS, Boundary, size_of
from tunebook.models.cache.placeholders import Placeholders
from tunebook.models.cache.refusal import NotCacheable
from tunebook.models.cache.serving import serving, states_of
from tunebook.models.freezing import hold_frozen_in_eval
from tunebook.models.modes import modes_kept

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
"""How far apart figures may be for their size: what else a batch holds changes last digits, a mistake much more."""
COARSE = 0.05
"""Likewise in other arithmetic, and on a GPU, where float32 may be TF32."""

Batch = Mapping[str, torch.Tensor]


def validate(
    model: nn.Module, boundary: Boundary, ever: Collection[str], frozen: Sequence[nn.Module], batch: Batch
) -> Placeholders | None:
    """Shows that states computed row by row, put back at the boundary, give what the whole model gives.

    Everything that frozen modules in front of the boundary would give is replaced by NaN: whatever depends on it by
    another way than through the boundary shows. The model, its mode and the random state are left as found.

    Args:
        model: in evaluation mode.
        boundary: to be proved.
        ever: names of the parameters that train in some phase.
        frozen: modules that are held in evaluation mode while training.
        batch: inputs of the model, rows of unlike length.

    Returns:
        What can be given in place of the inputs, which then need not be read; None: they are needed.

    Raises:
        NotCacheable: the figures differ, with the reason.
    """
    trained = {name: parameter for name, parameter in model.named_parameters() if name in ever}
    tokens = size_of(batch).tokens
    with torch.random.fork_rng(devices=[p.device for p in model.parameters() if p.is_cuda][:1]):
        _nothing_noisy(model, boundary, frozen, batch)
        states = gathered(model, boundary, batch)
        whole = _figures(model, batch, trained)
        with serving(model, boundary, states, tokens, fill=float("nan")):
            served = _figures(model, batch, trained)
        _compare(whole, served, boundary.dtype)
        placeholders = Placeholders.of(batch, boundary)
        with serving(model, boundary, states, placeholders.tokens(tokens), fill=float("nan")):
            try:
                without = _figures(model, placeholders(lengths_of(batch), tokens), trained)
            except (RuntimeError, IndexError, ValueError):
                return None  # the live part makes something of the inputs after all
    same = all(torch.equal(one, without[name]) for name, one in served.items())
    return placeholders if same else None


def lengths_of(batch: Batch) -> torch.Tensor:
    """How many tokens each row of a batch has; 1 where there are none."""
    mask = batch.get(TOKENS)
    return mask.sum(1) if mask is not None else torch.ones(size_of(batch).rows, dtype=torch.long)


def gathered(model: nn.Module, boundary: Boundary, batch: Batch) -> torch.Tensor:
    """The states of a batch as the store would give them: of each row by itself, zeros where it has no token."""
    found = []
    for row in range(size_of(batch).rows):
        mask = batch[TOKENS][row].bool() if TOKENS in batch else None
        alone = {
            name: values[row, mask][None] if mask is not None and values.shape[1:2] == mask.shape else values[row][None]
            for name, values in batch.items()
        }
        with torch.no_grad():
            states = states_of(model, boundary, alone)[0]
        if boundary.by_token and mask is not None:
            wide = states.new_zeros((len(mask), *states.shape[1:]))
            wide[mask] = states
            states = wide
        found.append(states)
    return torch.stack(found)


def _figures(model: nn.Module, batch: Batch, trained: Mapping[str, nn.Parameter]) -> dict[str, torch.Tensor]:
    logits = model(**batch)["logits"].float()
    weights = torch.linspace(-1, 1, logits.numel(), device=logits.device).view_as(logits)
    gradients = torch.autograd.grad((logits * weights).sum(), list(trained.values()), allow_unused=True)
    named = zip(trained, gradients, strict=True)
    found = {f"the gradient of {name}": gradient for name, gradient in named if gradient is not None}
    return {"its logits": logits.detach(), **found}


def _compare(whole: Mapping[str, torch.Tensor], served: Mapping[str, torch.Tensor], arithmetic: torch.dtype) -> None:
    for name in [*whole, *served]:
        one, other = whole.get(name), served.get(name)
        if one is None or other is None or (one.isfinite().all() and not other.isfinite().all()):
            raise NotCacheable(f"frozen layers act on {name} by another way than through the last of them")
        if not agree(one, other, arithmetic):
            raise NotCacheable(f"what else a batch holds changes {name}")


def agree(one: torch.Tensor, other: torch.Tensor, arithmetic: torch.dtype | None) -> bool:
    """Whether two tensors are equal but for the order in which numbers were added up.

    Args:
        one: of any shape, where it was computed.
        other: of the same shape, anywhere.
        arithmetic: in which they were computed; None: in the first one's type.
    """
    tolerance = COARSE if one.is_cuda else TOLERANCE.get(arithmetic or one.dtype, COARSE)
    apart = (one - other.to(one)).abs().max()
    return float(apart) <= tolerance * max(1.0, float(one.abs().max()))


def _nothing_noisy(model: nn.Module, boundary: Boundary, frozen: Sequence[nn.Module], batch: Batch) -> None:
    """In training mode the states must be those of evaluation: no dropout in front, no batch statistics."""
    with torch.no_grad():
        still = states_of(model, boundary, batch)
        with _training(model, frozen):
            noisy = [name for name in boundary.front if _draws(model.get_submodule(name))]
            if noisy:
                raise NotCacheable(f"{noisy[0]}, in front of what trains, changes from step to step while training")
            moved = states_of(model, boundary, batch)
    if not torch.equal(still, moved):
        raise NotCacheable("its frozen layers give other states while training than in evaluation")


@contextlib.contextmanager
def _training(model: nn.Module, frozen: Sequence[nn.Module]) -> Iterator[None]:
    with modes_kept(model):
        model.train()
        hold_frozen_in_eval(frozen)
        yield


def _draws(module: nn.Module) -> bool:
    if not module.training:
        return False
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return True
    # Whole branches are dropped by modules that each architecture brings itself.
    share = module.p if isinstance(module, nn.modules.dropout._DropoutNd) else getattr(module, "drop_prob", None)
    return bool(share)
