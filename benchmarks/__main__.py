"""Time a training step of ours and of PyTorch's, side by side in one process, and print the ratio.

    python -m pip install -e '.[bench]'
    python -m benchmarks

The two take turns, block by block: a pause lets the other's threads go to sleep, a few steps warm up, and
then each step is timed. The median over a block's steps, then over blocks, sets passing noise aside. Before
anything is timed, both take a few steps from the same weights and must arrive at the same loss.
"""

import json
import time
from collections.abc import Callable
from itertools import pairwise

import click
import numpy as np

import tinygrad_edu as te
from tinygrad_edu import nn

Step = Callable[[], float]
WIDTHS = [784, 1024, 512, 10]


def data(batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((batch_size, WIDTHS[0]), np.float32), rng.integers(0, WIDTHS[-1], batch_size)


def our_step(x: np.ndarray, y: np.ndarray) -> tuple[Step, list[np.ndarray]]:
    te.seed(0)
    hidden = [nn.Dense(n, activation="relu") for n in WIDTHS[1:-1]]
    model = nn.Sequential([nn.Input((WIDTHS[0],)), *hidden, nn.Dense(WIDTHS[-1])])
    loss_of = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = nn.optimizers.SGD(0.01, params=model.parameters())

    def step() -> float:
        loss = loss_of(y, model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, [w.numpy().copy() for w in model.parameters()]


def torch_step(x: np.ndarray, y: np.ndarray, weights: list[np.ndarray]) -> Step:
    import torch

    torch.set_num_threads(2)
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(WIDTHS):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, w in zip(model.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(w.T.copy()))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    inputs_, labels = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> float:
        loss = torch.nn.functional.cross_entropy(model(inputs_), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def block(step: Step, steps: int) -> float:
    """Return the median time of a step, in ms, after a pause and a warm-up."""
    time.sleep(0.1)
    for _ in range(5):
        step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


@click.command(help="Time the training step of a 784-1024-512-10 network beside PyTorch's.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--blocks", default=9, show_default=True, help="How often the two take turns.")
@click.option("--steps", default=50, show_default=True, help="Steps timed in each block.")
def main(batch_size: int, blocks: int, steps: int) -> None:
    x, y = data(batch_size)
    # PyTorch first: it should read its own thread settings before our kernels choose theirs.
    try:
        import torch  # noqa: F401
    except ImportError:
        raise click.ClickException("PyTorch is absent: python -m pip install -e '.[bench]'") from None
    ours, weights = our_step(x, y)
    theirs = torch_step(x, y, weights)
    for _ in range(5):
        np.testing.assert_allclose(ours(), theirs(), rtol=1e-4)
    pairs = [(block(ours, steps), block(theirs, steps)) for _ in range(blocks)]
    a, b = np.array(pairs).T
    ratios = a / b
    result = {
        "workload": f"MLP {'-'.join(map(str, WIDTHS))}, batch {batch_size}, SGD, float32",
        "ours_ms": round(float(np.median(a)), 3),
        "torch_ms": round(float(np.median(b)), 3),
        "ratio": round(float(np.median(ratios)), 3),
        "ratio_quartiles": [round(float(q), 3) for q in np.quantile(ratios, [0.25, 0.75])],
    }
    click.echo(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
