"""Seed 2. A 784-128-10 network as a module, trained with cross-entropy, SGD with momentum and a DataLoader.

It is trained twice: as it should be, and with the classic mistake, a ReLU on the logits before the cross-entropy.
The mistake hides every negative logit: a class whose logit is below 0 gets no gradient and can never come back.

    python examples/digits_mlp.py
"""

import pullback as torch
import pullback.nn as nn
import pullback.optim as optim
from pullback.data import digits
from pullback.utils.data import DataLoader


class DigitsNet(nn.Module):
    """784 pixels, 128 hidden units, 10 logits; `relu_on_logits` is the mistake."""

    def __init__(self, relu_on_logits: bool = False):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 128)
        self.fc2 = nn.Linear(128, 10)
        self.relu_on_logits = relu_on_logits

    def forward(self, x):  # (b, 1, 28, 28) to (b, 10)
        x = torch.flatten(x, 1)
        x = torch.relu(self.fc1(x))
        logits = self.fc2(x)
        return torch.relu(logits) if self.relu_on_logits else logits


def train(model: nn.Module, data, epochs: int) -> float:
    """Train on the training digits; the accuracy on the test digits."""
    loader = DataLoader(data.train, batch_size=64, shuffle=True)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    @torch.compile
    def step(images, labels):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    model.train()
    losses = []
    for _ in range(epochs):
        epoch = [step(images, labels).item() for images, labels in loader]
        losses.append(sum(epoch) / len(epoch))
    model.eval()
    with torch.no_grad():
        images, labels = data.test.tensors
        predicted = model(images).argmax(1)
    accuracy = (predicted == labels).float().mean().item()
    never = sorted(set(range(10)) - set(predicted.tolist()))
    per_epoch = " ".join(f"{x:.3f}" for x in losses)
    print(f"  loss {per_epoch}   test accuracy {accuracy:.1%}   never predicted: {never or 'none'}")
    return accuracy


def main(epochs: int = 5, seeds: int = 3) -> tuple[float, float]:
    """Train both from several seeds; the mean accuracies on the test digits without and with the mistake."""
    data = digits()
    means = []
    for mistake in (False, True):
        print("a ReLU on the logits (the mistake):" if mistake else "logits straight into the cross-entropy:")
        accuracies = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            accuracies.append(train(DigitsNet(mistake), data, epochs))
        means.append(sum(accuracies) / seeds)
    right, wrong = means
    print(
        f"mean test accuracy {right:.1%} without and {wrong:.1%} with it: it costs {100 * (right - wrong):.1f} points"
    )
    return right, wrong


if __name__ == "__main__":
    main()
