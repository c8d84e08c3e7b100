"""Seed 4. A 10-5-1 ReLU network, mean squared error, gradient descent on a full batch of 100 for 1,000 steps.

The targets come from another 10-5-1 network, so that a loss near zero can be reached.

    python examples/full_batch.py
"""

import pullback as torch
import pullback.nn as nn


def network() -> nn.Sequential:
    """10 inputs, 5 hidden ReLU units, 1 output."""
    return nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1))


def main(steps: int = 1000, lr: float = 0.1) -> tuple[float, float]:
    """Train; the loss before and after."""
    torch.manual_seed(0)
    x = torch.randn(100, 10)
    with torch.no_grad():
        y = network()(x) * 3
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    @torch.compile
    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step().item() for _ in range(steps)]
    for i in range(0, steps, steps // 5):
        print(f"step {i:4}  loss {losses[i]:.5f}")
    print(f"step {steps:4}  loss {losses[-1]:.5f}")
    return losses[0], losses[-1]


if __name__ == "__main__":
    main()
