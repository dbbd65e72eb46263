"""A convolutional net whose pairs saturate: large weights, bright images; written as users do."""

import torch
from torch import nn
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization import DeQuantStub, QuantStub


class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.sum = FloatFunctional()
        self.narrow = nn.Conv2d(8, 4, 1)
        self.fc = nn.Linear(4 * 3 * 3, 5)

    def forward(self, x):
        x = self.relu(self.conv1(self.quant(x)))
        x = self.pool(self.sum.add_relu(self.conv2(x), x))
        x = self.narrow(x)
        return self.dequant(self.fc(torch.flatten(x, 1)))
