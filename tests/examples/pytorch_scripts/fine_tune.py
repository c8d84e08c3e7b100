"""A pretrained model with a new head: the body frozen, then let go with a smaller learning rate."""

import torch
from torch import nn

torch.manual_seed(1)
body = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
model = nn.Sequential(body, nn.Linear(32, 1))
x = torch.randn(256, 8)
true = torch.randn(8, 1)
y = torch.sin(x @ true)

optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
loss_fn = nn.MSELoss()
for _ in range(400):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
state = model.state_dict()

tuned = nn.Sequential(nn.Sequential(nn.Linear(8, 32), nn.Tanh()), nn.Linear(32, 3))
kept = {k: v for k, v in state.items() if k.startswith("0.")}
missing, unexpected = tuned.load_state_dict(kept, strict=False)
print("missing", missing, "unexpected", unexpected)
for p in tuned[0].parameters():
    p.requires_grad = False
labels = (y > -0.5).long() + (y > 0.5).long()
labels = labels.squeeze(1)
criterion = nn.CrossEntropyLoss()
head = torch.optim.AdamW(filter(lambda p: p.requires_grad, tuned.parameters()), lr=0.01)
frozen = tuned[0][0].weight.clone()
for _ in range(300):
    head.zero_grad()
    criterion(tuned(x), labels).backward()
    head.step()
print("body unchanged", torch.equal(frozen, tuned[0][0].weight))
for p in tuned.parameters():
    p.requires_grad_(True)
every = torch.optim.AdamW([{"params": tuned[0].parameters(), "lr": 5e-3}, {"params": tuned[1].parameters()}], lr=1e-2)
for _ in range(300):
    every.zero_grad()
    loss = criterion(tuned(x), labels)
    loss.backward()
    every.step()
print("accuracy above 0.9", (tuned(x).argmax(dim=1) == labels).float().mean().item() > 0.9)
