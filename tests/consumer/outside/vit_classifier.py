# A vision transformer with a linear head learns to name textures.
import torch
from timm.models.vision_transformer import VisionTransformer
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


# data
# Stripes across, stripes down, and boards of squares, shifted by chance, with noise.
def textures(images):
    kind = torch.arange(images)[:, None, None] % 3
    across = (torch.arange(16)[:, None] // 2 % 2).expand(images, 16, 16)
    down = ((torch.arange(16) + torch.randint(4, (images, 1, 1))) // 2 % 2).expand(images, 16, 16)
    on = torch.where(kind == 0, across, torch.where(kind == 1, down, across ^ down))
    return on[:, None] + torch.rand(images, 3, 16, 16) - 1, kind.flatten()


# end of data
torch.manual_seed(1)
train, test = TensorDataset(*textures(768)), textures(192)
net = VisionTransformer(img_size=16, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=3)
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
for epoch in range(8):
    for x, kind in DataLoader(train, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), kind)
        loss.backward()
        optimizer.step()
x, kind = test
net.eval()
with torch.inference_mode():
    right = (net(x).argmax(-1) == kind).float().mean().item()
print(f"vit_classifier: right on {100 * right:.1f} % of the images")
assert right > 0.95
