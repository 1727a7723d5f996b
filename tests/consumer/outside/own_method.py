# A method of one's own: SimSiam (Chen and He 2021) with self-distillation, in which every layer predicts the last one.
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader


# data
# Stripes across or down, shifted by chance.
def stripes(images):
    kind = torch.arange(images) % 2
    at = torch.arange(16)
    shift = torch.randint(4, (images, 1, 1))
    across = (at[:, None] + shift) // 2 % 2
    down = (at + shift) // 2 % 2
    x = torch.where(kind[:, None, None] == 0, across, down)
    return x[:, None].expand(-1, 3, -1, -1).float(), kind


# end of data
def projector(width, hidden=32, out=32):
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        nn.Linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        nn.Linear(hidden, out, bias=False), nn.BatchNorm1d(out, affine=False),
    )


def predictor(width, hidden=64):
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        nn.Linear(hidden, width, bias=False), nn.BatchNorm1d(width, affine=False),
    )


class SelfDistilledSimSiam(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.projectors = nn.ModuleList(projector(encoder.embed_dim) for _ in encoder.blocks)
        self.predictors = nn.ModuleList(predictor(32) for _ in encoder.blocks)

    def layers(self, images):
        n = len(self.encoder.blocks)
        outputs = self.encoder.get_intermediate_layers(images, n, return_prefix_tokens=True, norm=True)
        return [prefix[:, 0] for _, prefix in outputs]

    def project(self, images):
        return [project(x) for project, x in zip(self.projectors, self.layers(images))]

    def forward(self, view1, view2):
        z1, z2 = self.project(view1), self.project(view2)
        target1, target2 = z1[-1].detach(), z2[-1].detach()
        loss = 0
        for predict, a, b in zip(self.predictors, z1, z2):
            loss = loss + 2 - 2 * F.cosine_similarity(predict(a), target2).mean()
            loss = loss + 2 - 2 * F.cosine_similarity(predict(b), target1).mean()
        return loss / len(z1)


torch.manual_seed(1)
images, kind = stripes(512)
encoder = VisionTransformer(img_size=16, patch_size=4, embed_dim=32, depth=3, num_heads=2, num_classes=0)
model = SelfDistilledSimSiam(encoder)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
losses = []
for epoch in range(8):
    for x in DataLoader(images, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = model(x + torch.rand_like(x), x + torch.rand_like(x))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
print(f"own_method: the loss fell from {losses[0]:.3f} to {losses[-1]:.3f}")
assert losses[-1] < 0.5 * losses[0]
model.eval()
with torch.inference_mode():
    for features in model.layers(images):
        unit = F.normalize(features, dim=1)
        nearest = (unit @ unit.T).fill_diagonal_(-1).argmax(1)
        right = (kind[nearest] == kind).float().mean().item()
        print(f"own_method: the nearest image is of the same kind for {100 * right:.1f} %")
        assert right > 0.9
