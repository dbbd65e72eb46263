"""A net as users write it: residual blocks, functional calls, loops, reuse, plain flags."""

import torch
import torch.nn.functional as F  # noqa: N812 - as users write it
from torch import nn
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization import DeQuantStub, QuantStub


class Block(nn.Module):
    def __init__(self, channels, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, groups=2)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.downsample = downsample
        self.ff = FloatFunctional()

    def forward(self, x):
        identity = x
        out = self.relu(self.conv1(x))
        out = self.conv2(out)
        if self.downsample is not None:
            identity = self.downsample(x)
        return self.ff.add_relu(out, identity)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.stem = nn.Conv2d(3, 8, 3, stride=(2, 1), padding=1, dilation=1)
        self.act = nn.ReLU6()
        self.blocks = nn.ModuleList([Block(8), Block(8, nn.Conv2d(8, 8, 1))])
        self.pools = nn.ModuleDict({"max": nn.MaxPool2d(3, stride=2, padding=1)})
        self.shared = nn.Conv2d(8, 8, 1)
        self.cat, self.mul, self.sum = FloatFunctional(), FloatFunctional(), FloatFunctional()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid())
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.norm = nn.GroupNorm(2, 16)
        self.swish = nn.Hardswish()
        self.leaky = nn.LeakyReLU(0.1)
        self.fc = nn.Linear(16, 5)
        self.repeats = 2
        self.register_buffer("offset", torch.tensor([0.5, -1.0, 0.0, 2.0, 1.0]))

    def forward(self, x):
        x = self.quant(x)
        x = self.act(self.stem(x))
        for block in self.blocks:
            x = block(x)
        x = self.pools["max"](x)
        for _ in range(self.repeats):
            x = F.relu(self.shared(x))
        x = self.mul.mul(x, self.gate(x))
        small = F.avg_pool2d(x, 2)
        x = self.cat.cat([x, self.up(small)], dim=1)
        x = self.leaky(self.swish(self.norm(x)))
        x = self.sum.add_scalar(x, 0.25)
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        if self.training:
            x = F.dropout(x)
        x = x.mean([2, 3]).view(x.size(0), -1)
        return torch.add(self.dequant(self.fc(torch.flatten(x, 1))), self.offset)
