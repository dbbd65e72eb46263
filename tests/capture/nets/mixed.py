"""Nets of other shapes: lists, helper methods, recurrent layers, layers left in float32."""

import torch
import torch.nn.functional as F  # noqa: N812 - as users write it
from torch import nn
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization import DeQuantStub, QuantStub


class Pyramid(nn.Module):
    """Collects what each stage gives in a list; helper methods; indices and slices."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.stages = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)])
        self.cat = FloatFunctional()
        self.heads = nn.ModuleDict({"a": nn.Conv2d(8, 4, 1), "b": nn.Conv2d(8, 6, 1)})
        self.head = "b"
        self.shuffle = nn.ChannelShuffle(2)
        self.grow = nn.PixelShuffle(2)

    def _stage(self, x, stage, pool=True):
        x = F.relu(stage(x))
        return F.max_pool2d(x, 2) if pool else x

    def forward(self, x):
        x = self.quant(x)
        found = []
        for number, stage in enumerate(self.stages):
            x = self._stage(x, stage, pool=number > 0)
            found.append(x[:, :, ::2, ::2] if number == 0 else x)
        x = self.shuffle(self.cat.cat(found, dim=1))
        left, right = x.chunk(2, 1)
        x = self.cat.cat([right, left], 1)
        x = self.heads[self.head](x)
        b, c, height, width = x.size()
        x = F.interpolate(x, size=torch.reshape(x, x.shape).shape[2:])
        x = F.pad(x.view(b, c, height * width).reshape(x.shape), (1, 1, 1, 1), mode="reflect")
        x = x.permute(0, 2, 3, 1).contiguous().reshape(x.shape[0], -1)
        return self.dequant(x)


class Tail(nn.Module):
    """A quantized middle between layers that were left in float32."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.middle = nn.Sequential(QuantStub(), nn.Conv2d(4, 4, 3), nn.ReLU(), DeQuantStub())
        self.last = nn.Linear(4, 2, bias=False)
        self.layer_norm = nn.LayerNorm(4)
        self.temperature = nn.Parameter(torch.tensor(0.7))

    def forward(self, x):
        x = self.middle(torch.tanh(self.norm(self.first(x))))
        x = self.layer_norm(x.mean((2, 3)))
        return F.softmax(self.last(x) / self.temperature, dim=1)


class Words(nn.Module):
    """Numbers of words, an embedding, a recurrent layer, the last step's Linear."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 4)
        self.rnn = nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True)
        self.cell = nn.GRUCell(12, 5)
        self.fc = nn.Linear(5, 3)

    def forward(self, x):
        found, (h, _) = self.rnn(self.words(x.long()))
        state = self.cell(found[:, -1])
        for step in range(2):
            state = self.cell(found[:, step], state)
        return self.fc(state) + h.sum()
