"""The loop that tutorials teach: ImageFolder, DataLoader, SGD with momentum, fp32, running loss and accuracy."""

from __future__ import annotations

import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.speed.work import LOADERS, Contender, Epoch, Work, build, clock


def prepare(work: Work) -> Contender:
    train_transforms = transforms.Compose(
        [
            transforms.RandomResizedCrop(work.size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    dataset = datasets.ImageFolder(work.folder, train_transforms)
    loader = DataLoader(dataset, batch_size=work.batch, shuffle=True, num_workers=LOADERS)
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    model = build(work).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.9)

    def epoch() -> Epoch:
        with clock() as timed:
            model.train()
            running_loss, running_corrects, seen = 0.0, 0, 0
            for inputs, labels in loader:
                inputs = inputs.to(device)
                labels = labels.to(device)
                optimizer.zero_grad()
                with torch.set_grad_enabled(True):
                    outputs = model(inputs)
                    _, predicted = torch.max(outputs, 1)
                    loss = criterion(outputs, labels)
                    loss.backward()
                    optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += torch.sum(predicted == labels.data).item()
                seen += inputs.size(0)
        return Epoch(seen, timed.seconds)

    return epoch
