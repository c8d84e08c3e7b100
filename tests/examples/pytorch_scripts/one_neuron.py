"""One neuron, raw tensors, the update written out."""

import torch

x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
y = torch.tensor([[1.0], [1.0], [1.0], [0.0]])
w = torch.full((2, 1), 0.1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)

for epoch in range(500):
    a = torch.sigmoid(x.mm(w) + b)
    loss = -(y * torch.log(a) + (1 - y) * torch.log(1 - a)).mean()
    loss.backward()
    with torch.no_grad():
        w -= 1.0 * w.grad
        b -= 1.0 * b.grad
        w.grad.zero_()
        b.grad.zero_()

print(f"loss {loss.item():.4f}")
print("weights", [round(v, 3) for v in w.detach().view(-1).tolist()], "bias", round(b.item(), 3))
print("answers", (a > 0.5).int().flatten().tolist())
