"""A classifier as a module, with a DataLoader, Adam, a schedule, validation, and the best weights kept."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset, random_split

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)

angle = torch.linspace(0, 6.28, 300)
inner = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1) + 0.1 * torch.randn(300, 2)
outer = 2.0 * torch.stack([torch.cos(angle), torch.sin(angle)], dim=1) + 0.1 * torch.randn(300, 2)
points = torch.cat([inner, outer])
labels = torch.cat([torch.zeros(300, dtype=torch.long), torch.ones(300, dtype=torch.long)])
train_set, val_set = random_split(TensorDataset(points, labels), [500, 100])
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
val_loader = DataLoader(val_set, batch_size=100)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.1))
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.layers(x))


model = Net().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-4)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
best, best_state = 0.0, None

for epoch in range(20):
    model.train()
    for inputs, targets in train_loader:
        inputs, targets = inputs.to(device), targets.to(device)
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    scheduler.step()
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for inputs, targets in val_loader:
            probabilities = F.softmax(model(inputs.to(device)), dim=1)
            _, predicted = torch.max(probabilities, 1)
            total += targets.size(0)
            correct += (predicted == targets).sum().item()
    if correct / total >= best:
        best, best_state = correct / total, copy.deepcopy(model.state_dict())

model.load_state_dict(best_state)
print(f"best accuracy {best:.2f}, lr {scheduler.get_last_lr()[0]:.4f}")
print("parameters", sum(p.numel() for p in model.parameters() if p.requires_grad))
