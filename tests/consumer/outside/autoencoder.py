# An autoencoder finds the two numbers behind signals of 32.
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader


# data
# Sine waves of any phase and height.
def waves(count):
    phase, height = 2 * torch.pi * torch.rand(count, 1), 1 + torch.rand(count, 1)
    return height * torch.sin(phase + 0.3 * torch.arange(32))


# end of data
class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 2))
        self.decode = nn.Sequential(nn.Linear(2, 64), nn.GELU(), nn.Linear(64, 32))

    def forward(self, x):
        return self.decode(self.encode(x))


torch.manual_seed(1)
train, test = waves(2048), waves(256)
net = Autoencoder()
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
for epoch in range(20):
    for x in DataLoader(train, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), x)
        loss.backward()
        optimizer.step()
with torch.no_grad():
    loss, variance = F.mse_loss(net(test), test).item(), test.square().mean().item()
print(f"autoencoder: a mean squared error of {loss:.4f}, the signals' square is {variance:.4f}")
assert loss < 0.01 * variance
