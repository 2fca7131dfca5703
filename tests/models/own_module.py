"""A module as users write it, as text: its weights are drawn once and kept in a file beside it."""

LAYERS = """
from torch import nn

class Block(nn.Sequential):
    def __init__(self, width, out):
        super().__init__(nn.Conv2d(width, out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
"""

MODULE = """
from pathlib import Path

import numpy as np
import timm
import torch
from torch import nn
from torch.nn import functional

from {layers} import Block

WEIGHTS = Path(__file__).with_name("weights.pt")
print("a module that prints")


class Net(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.stem, self.last = Block(3, 8), nn.Sequential(Block(8, 16), Block(16, 16))
        self.fc = nn.Linear(16, classes)

    def forward(self, x):
        return self.fc(self.last(self.stem(x)).mean((2, 3)))


def filled(net):
    net.load_state_dict({{**net.state_dict(), **torch.load(WEIGHTS)}}, strict=False)
    return net

def build(): return filled(Net())
def either(pretrained=True): return filled(Net()) if pretrained else Net()
def ignores(pretrained=True): return filled(Net())
def drawn(): return Net()
def head_of_numpy():
    net = filled(Net()); net.fc = nn.Linear(16, 3); net.fc.bias.data[:] = torch.tensor(np.random.rand(3)); return net
class Biased(Net):
    def __init__(self):
        super().__init__(); self.stem[0] = nn.Conv2d(3, 8, 3, stride=2, padding=1)
def partly(): return filled(Biased())
def new_head():
    net = filled(Net()); net.fc = nn.Linear(16, 3); return net
ONE = build()
def same_object(): return ONE
def shared_body():
    net = Net(); net.stem = ONE.stem; net.last = ONE.last; return net
def of_timm(): torch.manual_seed(3); return timm.create_model("test_resnet")
def compiled(): return torch.compile(build())
def parallel(): return nn.DataParallel(build())
def half(): return build().half()
def frozen(): return build().requires_grad_(False)

def variant(forward):
    class Variant(Net): pass
    Variant.forward = forward
    return filled(Variant())
def body(net, x): return net.last(net.stem(x))
def headless(): return variant(lambda self, x: body(self, x).mean((2, 3)))
def softmax(): return variant(lambda self, x: Net.forward(self, x).softmax(1))
def sigmoid(): return variant(lambda self, x: Net.forward(self, x).sigmoid())
def maps(): return variant(body)
def pair(): return variant(lambda self, x: (Net.forward(self, x), x))
def dictionary(): return variant(lambda self, x: {{"logits": Net.forward(self, x)}})
def pair_in_training(): return variant(lambda self, x: (Net.forward(self, x), x) if self.training else Net.forward(self, x))
def without_gradient(): return variant(lambda self, x: Net.forward(self, x).detach())
def dropout(): return variant(lambda self, x: Net.forward(self, functional.dropout(x)))
def of_the_batch(): return variant(lambda self, x: self.fc(body(self, x).mean((2, 3)) - body(self, x).mean((0, 2, 3))))
def flat_only(): return variant(lambda self, x: self.fc(x.flatten(1)[:, :16].view(2, 16)))
def of_texts(): return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(4, 2))
def raises(): raise OSError("no weights here")
def ends(): raise SystemExit(3)
def number(): return 3
def state(): return Net().state_dict()
def scripted(): return torch.jit.trace(build(), torch.rand(1, 3, 64, 64))
def needs(width): return Net()
def unsettled():
    torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False); return build()
def locked():
    import threading
    net = build(); net.lock = threading.Lock(); return net
class Class(Net):
    def __init__(self): super().__init__(); filled(self)
class Holder:
    @staticmethod
    def build(): return build()
VALUE = 3
"""


def write_module(folder, name: str):
    """Write module `name`, the one that it imports and their weights; returns the file of the first."""
    import torch

    (folder / f"{name}_layers.py").write_text(LAYERS)
    path = folder / f"{name}.py"
    path.write_text(MODULE.format(layers=f"{name}_layers"))
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator) * (2 / (shape[1] * 9)) ** 0.5

    blocks = {"stem.0": draw(8, 3, 3, 3), "last.0.0": draw(16, 8, 3, 3), "last.1.0": draw(16, 16, 3, 3)}
    weights = {f"{block}.weight": weight for block, weight in blocks.items()}
    head = {"fc.weight": torch.randn(5, 16, generator=generator), "fc.bias": torch.zeros(5)}
    torch.save({**weights, **head}, folder / "weights.pt")
    return path
