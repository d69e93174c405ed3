"""Members of an ensemble in one matrix product a layer, against a loop over ordinary networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import zoo_core
from benchmarks.results import Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import ENV, ensemble_of, member_inputs
from benchmarks.speed.timing import fastest, torch_threads
from zoo_ensemble.networks import BatchedNetwork, Seating

FORWARD_ROWS = (16, 256, 4096)
TRAIN_ROWS = 256  # of each member
ROUNDS = 30


def measure() -> Measured:
    model = ensemble_of(ENV)
    batched = model.network
    members = [_member(batched, e) for e in range(model.config.num_members)]
    functions: dict[str, Callable[[], object]] = {}
    for num in FORWARD_ROWS:
        rows = member_inputs(model, num).flatten(0, 1)[:num]
        member = torch.randperm(num, generator=zoo_core.rng(0)) % len(members)  # as dreams that begin together draw it
        functions[f"forward_{num}_batched"] = _forward_batched(batched, rows, member, len(members))
        functions[f"forward_{num}_loop"] = _forward_loop(members, rows, member)
    inputs = member_inputs(model, TRAIN_ROWS * len(members))
    functions["train_batched"] = _train([batched], [inputs])
    functions["train_loop"] = _train(members, list(inputs))
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
    cases = (*(f"forward_{num}" for num in FORWARD_ROWS), "train")
    figures = {f"{case}_speedup": seconds[f"{case}_loop"] / seconds[f"{case}_batched"] for case in cases}
    figures |= {f"{name}_us": value * 1e6 for name, value in seconds.items()}
    return Measured(bar=None, runs=[Run(seed=0, score=figures["train_speedup"], figures=figures)])


def _member(network: BatchedNetwork, index: int) -> nn.Sequential:
    """Returns one member as anybody would write it, with the same weights."""
    parts: list[nn.Module] = []
    for layer in network.layers:
        weight, bias = layer.weight[index], layer.bias[index, 0]
        linear = nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(weight.T)
            linear.bias.copy_(bias)
        parts += [linear, nn.SiLU(inplace=False)]
    return nn.Sequential(*parts[:-1])


def _forward_batched(network: BatchedNetwork, rows: Tensor, member: Tensor, num_members: int) -> Callable[[], object]:
    seating = Seating.of(member, num_members)

    def forward() -> Tensor:
        with torch.no_grad():
            return seating.through(network, rows)

    return forward


def _forward_loop(members: list[nn.Sequential], rows: Tensor, member: Tensor) -> Callable[[], object]:
    places = [torch.nonzero(member == e)[:, 0] for e in range(len(members))]

    def forward() -> Tensor:
        with torch.no_grad():
            out = rows.new_empty(len(rows), members[0][-1].out_features)
            for network, place in zip(members, places, strict=True):
                out[place] = network(rows[place])
            return out

    return forward


def _train(networks: Sequence[nn.Module], inputs: Sequence[Tensor]) -> Callable[[], object]:
    """Returns a gradient step of every network: forward, backward, Adam."""
    optimizers = [torch.optim.Adam(network.parameters(), fused=True) for network in networks]

    def step() -> None:
        for network, optimizer, x in zip(networks, optimizers, inputs, strict=True):
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()

    return step
