"""Seed 5. Train a network, save its weights as .npy, load them as a pretrained model, fine-tune it on another task.

The first task is to tell the digits 0 to 4 apart, with 4,000 examples. The second is to tell 5 to 9 apart, with 200.
The hidden layer is taken over, the last layer starts anew, and each has its own learning rate and weight decay. A
network that starts from nothing on the same 200 examples is trained beside it.

At the end stands a gradient that is wrong by its factor 2/N, as it is often written by hand, and what the gradient
check says of it.

    python examples/fine_tune.py
"""

import tempfile
from pathlib import Path

import numpy as np

import pullback as pb
from pullback import nn
from pullback.base.errors import GradientError
from pullback.data import TensorDataset, digits
from pullback.train import metrics


class Classifier(nn.Module):
    """A body that makes features of an image, and a head that makes logits of features."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU())
        self.head = nn.Linear(128, classes)

    def forward(self, x: pb.Tensor) -> pb.Tensor:
        """Logits (b, classes) of images (b, 1, 28, 28)."""
        return self.head(self.body(x))


def only(data: TensorDataset, low: int, limit: int | None = None) -> tuple[pb.Tensor, pb.Tensor]:
    """The images of the five digits from `low` on, and their labels from 0 to 4."""
    images, labels = data.tensors
    chosen = (labels >= low) & (labels < low + 5)
    return images[chosen][:limit], labels[chosen][:limit] - low


def fit(model: nn.Module, optimizer: pb.optim.Optimizer, x: pb.Tensor, y: pb.Tensor, epochs: int) -> None:
    """Mini-batches of 50, cross-entropy."""

    @pb.compile
    def step(images: pb.Tensor, labels: pb.Tensor) -> pb.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(epochs):
        order = pb.randperm(len(x))
        for start in range(0, len(x), 50):
            batch = order[start : start + 50]
            step(x[batch], y[batch])


def evaluate(name: str, model: nn.Module, x: pb.Tensor, y: pb.Tensor) -> dict[str, float]:
    """Accuracy, recall and F1 (macro) on held-out digits, printed as a line."""
    with pb.no_grad():
        predicted = model(x).argmax(1)
    found = {
        "accuracy": metrics.accuracy(predicted, y),
        "recall": metrics.recall(predicted, y, average="macro"),
        "f1": metrics.f1_score(predicted, y, average="macro"),
    }
    print(f"{name:36}" + "  ".join(f"{key} {value:.3f}" for key, value in found.items()))
    return found


def save(model: nn.Module, folder: Path) -> None:
    """Each tensor of the model as a file of its own, named by its path."""
    for path, tensor in model.state_dict().items():
        np.save(folder / f"{path}.npy", tensor.detach().numpy())


def load_body(model: Classifier, folder: Path) -> None:
    """The pretrained body into a model whose head is for another task."""
    state = {file.stem: pb.from_numpy(np.load(file)) for file in folder.glob("body.*.npy")}
    report = model.load_state_dict(state, strict=False)
    print(f"loaded {', '.join(sorted(state))}; starts anew: {', '.join(report.missing_keys)}")


class HandWrittenMSE(pb.autograd.Function):
    """Mean squared error of x w with a gradient by hand; `factor` is what stands before xᵀ(x w − y)."""

    factor = staticmethod(lambda n: 2 / n)

    @staticmethod
    def forward(ctx, w, x, y):
        ctx.save_for_backward(w, x, y)
        return ((x @ w - y) ** 2).mean()

    @classmethod
    def _scaled(cls, ctx, g):
        w, x, y = ctx.saved_tensors
        return g * cls.factor(len(x)) * (x.T @ (x @ w - y))

    @staticmethod
    def backward(ctx, g):
        return HandWrittenMSE._scaled(ctx, g), None, None


class ForgottenFactor(HandWrittenMSE):
    """The same, without the factor 2/N."""

    factor = staticmethod(lambda n: 1)

    @staticmethod
    def backward(ctx, g):
        return ForgottenFactor._scaled(ctx, g), None, None


def check_hand_written_gradients() -> str:
    """The right gradient passes the check, the wrong one does not; what the check says."""
    pb.manual_seed(0)
    x, y = pb.randn(20, 3, dtype=pb.float64), pb.randn(20, 1, dtype=pb.float64)
    w = pb.randn(3, 1, dtype=pb.float64, requires_grad=True)
    pb.gradcheck(lambda v: HandWrittenMSE.apply(v, x, y), (w,))
    try:
        pb.gradcheck(lambda v: ForgottenFactor.apply(v, x, y), (w,))
    except GradientError as error:
        return str(error)
    return ""


def main() -> dict[str, dict[str, float]]:
    """Pretrain, save, load, fine-tune, evaluate; the figures by name."""
    pb.manual_seed(0)
    data = digits()
    pretrained = Classifier(5)
    fit(pretrained, pb.optim.SGD(pretrained.parameters(), lr=0.05, momentum=0.9), *only(data.train, 0), epochs=4)
    evaluate("first task (0 to 4), pretrained", pretrained, *only(data.test, 0))

    x, y = only(data.train, 5, limit=200)
    test = only(data.test, 5)
    with tempfile.TemporaryDirectory() as folder:
        save(pretrained, Path(folder))
        tuned = Classifier(5)
        load_body(tuned, Path(folder))
    figures = {"before": evaluate("second task (5 to 9), before", tuned, *test)}
    groups = [
        {"params": tuned.body.parameters(), "lr": 5e-4, "weight_decay": 1e-2},
        {"params": tuned.head.parameters(), "lr": 5e-3, "weight_decay": 0.0},
    ]
    fit(tuned, pb.optim.AdamW(groups), x, y, epochs=20)
    figures["after"] = evaluate("second task, fine-tuned", tuned, *test)

    scratch = Classifier(5)
    fit(scratch, pb.optim.AdamW(scratch.parameters(), lr=5e-4, weight_decay=1e-2), x, y, epochs=20)
    figures["scratch"] = evaluate("second task, from nothing", scratch, *test)

    print("\nthe gradient check on a hand-written gradient without its factor 2/N:")
    print(check_hand_written_gradients())
    return figures


if __name__ == "__main__":
    main()
