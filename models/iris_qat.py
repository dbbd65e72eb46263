"""Train a small Iris classifier with quantization-aware training and save it as int8.

    python iris_qat.py

writes iris_qat.pth beside this file: the whole converted module, by torch.save.
"""

import copy
import warnings
from pathlib import Path

import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.ao import quantization as tq

SEED = 42
EPOCHS = 100
BATCH = 16


class IrisNet(nn.Module):
    """Four measurements in, three scores out."""

    def __init__(self):
        super().__init__()
        self.quant = tq.QuantStub()
        self.fc1 = nn.Linear(4, 16)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(16, 3)
        self.dequant = tq.DeQuantStub()

    def forward(self, x):
        x = self.quant(x)
        x = self.fc1(x)
        x = self.relu(x)
        x = self.fc2(x)
        return self.dequant(x)


def qconfig():
    """Symmetric uint8 activations over the full range, one scale per output channel of a weight."""
    activation = tq.FakeQuantize.with_args(
        observer=tq.MovingAverageMinMaxObserver,
        dtype=torch.quint8,
        qscheme=torch.per_tensor_symmetric,
        reduce_range=False,
    )
    weight = tq.FakeQuantize.with_args(
        observer=tq.MovingAveragePerChannelMinMaxObserver,
        dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
    )
    return tq.QConfig(activation=activation, weight=weight)


def load_data():
    """Standardized Iris, split 80/20: float32 measurements and integer classes."""
    iris = load_iris()
    x = StandardScaler().fit_transform(iris.data)
    x_train, x_test, y_train, y_test = train_test_split(
        x, iris.target, test_size=0.2, random_state=SEED
    )
    return (
        torch.tensor(x_train, dtype=torch.float32),
        torch.tensor(x_test, dtype=torch.float32),
        torch.tensor(y_train),
        torch.tensor(y_test),
    )


def train(model, x, y):
    """Train in place with simulated int8 rounding."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = nn.CrossEntropyLoss()
    model.train()
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            loss_of(model(x[batch]), y[batch]).backward()
            optimizer.step()


def accuracy(model, x, y):
    """The share of rows whose largest score is that of their class, in percent."""
    with torch.inference_mode():
        return f"{(model(x).argmax(1) == y).float().mean().item():.1%}"


def report_int8(model, x, y):
    """The accuracy in int8 with exact sums, as QNNPACK makes them on every CPU, and with those of
    this machine's default engine, which cuts off sums of two products on CPUs without VNNI."""
    default = torch.backends.quantized.engine
    for engine, kind in (("qnnpack", "exact sums"), (default, "the default here")):
        torch.backends.quantized.engine = engine  # converting packs the weights for it
        print(f"int8 by {engine}, {kind}: {accuracy(tq.convert(model), x, y)}")


def main():
    """Train, convert, report the accuracy and save."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torch announces the end of torch.ao at every call
    x_train, x_test, y_train, y_test = load_data()

    model = IrisNet()
    model.qconfig = qconfig()
    tq.prepare_qat(model.train(), inplace=True)
    train(model, x_train, y_train)
    model.eval()
    trained = copy.deepcopy(model)  # observers go on observing what a model is evaluated on
    print("accuracy on the test split")
    print(f"fake-quantized: {accuracy(trained, x_test, y_test)}")
    report_int8(model, x_test, y_test)
    tq.convert(model, inplace=True)

    path = Path(__file__).with_suffix(".pth")
    torch.save(model, path)
    print(f"saved {path.name}")


if __name__ == "__main__":
    main()
