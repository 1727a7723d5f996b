# A small GPT learns a song that repeats itself, and goes on with it.
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

# data
letters = " abcdefghijklmnopqrstuvwxyz"
text = ("row row row your boat gently down the stream " * 14)[:600]


# The numbers of 16 letters of the text from each of `count` places on, of which the first is `first`.
def windows(text, count, first):
    numbers = torch.tensor([letters.index(letter) for letter in text])
    return numbers.unfold(0, 16, 1)[first : first + count]


# end of data
class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.letter = nn.Embedding(27, 32)
        self.place = nn.Embedding(16, 32)
        block = nn.TransformerEncoderLayer(32, 4, 128, 0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, norm=nn.LayerNorm(32))
        self.head = nn.Linear(32, 27)

    def forward(self, ids):
        mask = nn.Transformer.generate_square_subsequent_mask(16)
        x = self.letter(ids) + self.place.weight
        return self.head(self.blocks(x, mask=mask, is_causal=True))


torch.manual_seed(1)
net = GPT()
train = TensorDataset(windows(text, 512, 0), windows(text, 512, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
for epoch in range(20):
    for x, y in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x).flatten(0, 1), y.flatten())
        loss.backward()
        optimizer.step()
sung = text[:16]
net.eval()
with torch.inference_mode():
    for i in range(100):
        sung += letters[net(windows(sung, 1, i))[0, -1].argmax()]
print("gpt:", sung)
assert sung == text[: len(sung)]
