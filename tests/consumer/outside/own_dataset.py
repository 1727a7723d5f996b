# A data set of one's own trains an encoder through its labels, and k-NN tells how good each layer has become.
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


# data
# A bright diamond or square somewhere on a dark ground.
def shape_of_kind(kind, random):
    row, column = torch.randint(5, 11, (2,), generator=random)
    down, right = (torch.arange(16)[:, None] - row).abs(), (torch.arange(16) - column).abs()
    inside = down + right < 5 if kind == 0 else (down < 4) & (right < 4)
    return torch.where(inside, 0.86, 0.12).expand(3, 16, 16)


# end of data
class Shapes(Dataset):
    classes = ["diamond", "square"]

    def __init__(self, images, seed):
        self.images, self.seed = images, seed

    def __len__(self):
        return self.images

    def __getitem__(self, i):
        random = torch.Generator().manual_seed(1000 * self.seed + i)
        return (shape_of_kind(i % 2, random) - 0.45) / 0.22, i % 2


def layers(encoder, data):
    images, labels = next(iter(DataLoader(data, batch_size=len(data))))
    outputs = encoder.get_intermediate_layers(images, len(encoder.blocks), return_prefix_tokens=True, norm=True)
    return [F.normalize(prefix[:, 0], dim=1) for _, prefix in outputs], labels


def knn_accuracy(encoder, train, test, k=20, temperature=0.07):
    (known, classes), (asked, truth) = layers(encoder, train), layers(encoder, test)
    shares = []
    for x, y in zip(known, asked):
        similarity, places = (y @ x.T).topk(k)
        votes = torch.zeros(len(y), len(train.classes))
        votes.scatter_add_(1, classes[places], (similarity / temperature).exp())
        shares.append((votes.argmax(1) == truth).float().mean().item())
    return shares


torch.manual_seed(1)
train, test = Shapes(512, seed=1), Shapes(128, seed=2)
encoder = VisionTransformer(img_size=16, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=0)
net = nn.Sequential(encoder, nn.Linear(32, 2))
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
for epoch in range(10):
    for images, labels in DataLoader(train, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
encoder.eval()
with torch.inference_mode():
    right = knn_accuracy(encoder, train, test)
print(f"own_dataset: the last loss is {loss.item():.4f}")
for share in right:
    print(f"own_dataset: k-NN is right on {100 * share:.1f} %")
assert loss < 0.2 and right[-1] > 0.9
