"""Seed 1. Fit y = w x + b to 100 noisy points by back-propagation, written with raw tensors.

Every step of training stands in the open: forward, loss, backward, update, and the gradients set back to zero.

    python examples/fit_a_line.py
"""

import pullback as torch


def main(steps: int = 1000, lr: float = 0.01) -> tuple[float, float]:
    """Train; the fitted w and b."""
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 100)
    y = 3 * x + 2 + 0.1 * torch.randn(100)

    w = torch.zeros(1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)

    for step in range(steps):
        prediction = w * x + b
        loss = ((prediction - y) ** 2).mean()
        loss.backward()
        if step % 200 == 0:
            print(
                f"step {step:4}  loss {loss.item():.4f}  w {w.item():+.4f}  b {b.item():+.4f}  "
                f"∂loss/∂w {w.grad.item():+.4f}  ∂loss/∂b {b.grad.item():+.4f}"
            )
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()

    print(f"found w = {w.item():.3f} (true: 3), b = {b.item():.3f} (true: 2)")
    return w.item(), b.item()


if __name__ == "__main__":
    main()
