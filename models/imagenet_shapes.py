"""Quantized nets of the shapes of ResNet-18 and MobileNetV2, with random weights.

    python imagenet_shapes.py resnet18 fbgemm

writes resnet18-fbgemm.pth beside this file: the whole converted module, by torch.save. The nets
are float32 modules with random weights, fused, calibrated on random images of 224×224 and
converted by PyTorch's eager quantization. They classify nothing: they are as large as real ones.
"""

import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.ao import quantization as tq

SIZE = 224
CLASSES = 1000
SEED = 42
CALIBRATION = 4


class Block(nn.Module):
    """Two 3×3 convolutions and a residual addition with ReLU."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.add = torch.ao.nn.quantized.FloatFunctional()

    def forward(self, x):
        shortcut = x
        if self.downsample is not None:
            shortcut = self.downsample(x)
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.add.add_relu(y, shortcut)

    def fuse(self):
        """Convolution, normalization and ReLU become one layer."""
        tq.fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2"]], inplace=True)
        if self.downsample is not None:
            tq.fuse_modules(self.downsample, [["0", "1"]], inplace=True)


class ResNet18(nn.Module):
    """As torchvision's resnet18."""

    def __init__(self):
        super().__init__()
        self.quant = tq.QuantStub()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, CLASSES)
        self.dequant = tq.DeQuantStub()

    def forward(self, x):
        x = self.quant(x)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        x = self.fc(x)
        return self.dequant(x)

    def fuse(self):
        """The first layer's convolution, normalization and ReLU become one layer."""
        tq.fuse_modules(self, [["conv1", "bn1", "relu"]], inplace=True)


class ConvNormReLU(nn.Sequential):
    """Convolution, normalization, ReLU (MobileNetV2's ReLU6 has no fused form)."""

    def __init__(self, inputs, outputs, size, stride, groups):
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    def fuse(self):
        """The three become one layer."""
        tq.fuse_modules(self, [["0", "1", "2"]], inplace=True)


class Inverted(nn.Module):
    """An inverted residual: to more channels, depthwise, back to fewer."""

    def __init__(self, inputs, outputs, stride, expand):
        super().__init__()
        hidden = inputs * expand
        self.residual = stride == 1 and inputs == outputs
        self.expand = nn.Identity() if expand == 1 else ConvNormReLU(inputs, hidden, 1, 1, 1)
        self.depthwise = ConvNormReLU(hidden, hidden, 3, stride, hidden)
        self.project = nn.Sequential(
            nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )
        self.add = torch.ao.nn.quantized.FloatFunctional()

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        if self.residual:
            y = self.add.add(x, y)
        return y

    def fuse(self):
        """The last convolution and its normalization become one layer."""
        tq.fuse_modules(self.project, [["0", "1"]], inplace=True)


STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, output channels, blocks, stride of the first block."""


class MobileNetV2(nn.Module):
    """As torchvision's mobilenet_v2, with ReLU in place of ReLU6."""

    def __init__(self):
        super().__init__()
        self.quant = tq.QuantStub()
        blocks = [ConvNormReLU(3, 32, 3, 2, 1)]
        inputs = 32
        for expand, outputs, count, first in STAGES:
            for place in range(count):
                stride = first if place == 0 else 1
                blocks.append(Inverted(inputs, outputs, stride, expand))
                inputs = outputs
        blocks.append(ConvNormReLU(inputs, 1280, 1, 1, 1))
        self.features = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1280, CLASSES)
        self.dequant = tq.DeQuantStub()

    def forward(self, x):
        x = self.quant(x)
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        x = self.classifier(x)
        return self.dequant(x)

    def fuse(self):
        """Its blocks fuse themselves."""


NETS = {"resnet18": ResNet18, "mobilenetv2": MobileNetV2}


def image(seed=SEED, count=1):
    """Random images as normalized photographs are: [count, 3, 224, 224]."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, SIZE, SIZE, generator=random)


def floating(name):
    """The net before it is quantized: fused, its normalizations knowing these images."""
    torch.manual_seed(SEED)
    net = NETS[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.inference_mode():
        net(image(1, CALIBRATION))
    net.eval()
    for module in list(net.modules()):
        if hasattr(module, "fuse"):
            module.fuse()
    return net


def quantized(name, engine, full_range=False):
    """The net, fused, calibrated and converted for an engine, which becomes PyTorch's own.

    With `full_range` activations use all of the byte, whatever the engine's qconfig says: that is
    where the kernels' pairs can saturate.
    """
    torch.backends.quantized.engine = engine
    net = floating(name)
    net.qconfig = tq.get_default_qconfig("onednn" if full_range else engine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of torch.ao at every call
        tq.prepare(net, inplace=True)
        with torch.inference_mode():
            net(image(2, CALIBRATION))
        return tq.convert(net, inplace=True)


def main():
    """Make a net for an engine and save it."""
    name, engine = sys.argv[1:3]
    torch.set_num_threads(1)
    path = Path(__file__).with_name(f"{name}-{engine}.pth")
    torch.save(quantized(name, engine), path)
    print(f"saved {path.name}")


if __name__ == "__main__":
    main()
