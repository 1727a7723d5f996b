# A multi-layer perceptron tells the arms of a spiral apart.
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


# data
def spiral(points):
    arm = torch.arange(points) % 2
    radius = torch.rand(points)
    angle = 7 * radius + torch.pi * arm
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1), arm


# end of data
torch.manual_seed(1)
train, test = TensorDataset(*spiral(2048)), spiral(512)
net = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
for epoch in range(20):
    for x, arm in DataLoader(train, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), arm)
        loss.backward()
        optimizer.step()
x, arm = test
with torch.no_grad():
    right = (net(x).argmax(-1) == arm).float().mean().item()
print(f"mlp: right on {100 * right:.1f} % of the points")
assert right > 0.95
