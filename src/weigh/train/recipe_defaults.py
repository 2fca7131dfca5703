"""What can be set of each recipe, for pictures, for texts and for whatever else models read; with defaults and limits. No torch.

Before it: nothing. After it: `recipes.py` says which recipe has which options.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from weigh.kinds.boxes import BoxesKind
from weigh.kinds.masks import Masks
from weigh.run import Options
from weigh.train.length import FEWEST_EPOCHS, MOST_EPOCHS

__all__ = [
    "STRENGTHS",
    "BatchSize",
    "Classes",
    "FinetunedPictures",
    "FinetunedSpans",
    "FinetunedTexts",
    "ImageSize",
    "InSteps",
    "MaxLength",
    "Pooling",
    "Steps",
    "Validation",
    "placed",
]

# L2 strengths of a probe: penalty per example on standardised features (scikit-learn's C = 1 / (strength x examples)).
STRENGTHS = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
# Of naive Bayes: added to the weight of every n-gram in every class.
SMOOTHINGS = [0.01, 0.03, 0.1, 0.3, 1.0]

Epochs = Annotated[int, Field(ge=1, le=10_000)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
WeightDecay = Annotated[float, Field(ge=0, le=10)]
LayerDecay = Annotated[float, Field(gt=0, le=1)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Patience = Annotated[int, Field(ge=1, le=10_000)]
Validation = Annotated[float, Field(gt=0, lt=0.9, description="Share of the training folds.")]
ImageSize = Annotated[int, Field(ge=16, le=4096)] | None
MaxLength = Annotated[
    Annotated[int, Field(ge=8, le=8192)] | None,
    Field(description="Most tokens of a text; what is longer is cut. Default: what the model reads, at most 512."),
]
Pooling = Annotated[
    Literal["mean", "first"] | None,
    Field(description="How the vectors of tokens become one: mean, or the first; default: the model's own."),
]

Steps = Annotated[
    int,
    Field(
        ge=1,
        le=10_000_000,
        description="Steps of the optimiser to train for; `epochs` follows from it if not set itself.",
    ),
]
HeadRate = Annotated[
    float,
    Field(gt=0, le=10_000, description="The head's learning rate is so many times `learning_rate`."),
]
Start = Annotated[
    Literal["probe", "random"],
    Field(
        description="What the head begins as, where it is linear: a probe fitted to the training part, whose score the epochs must beat to be kept; or random weights."
    ),
]

Views = Annotated[
    int,
    Field(
        ge=1,
        le=64,
        description="Versions of each picture whose activations are kept: 1 as it is, 2 also mirrored, more: random crops besides.",
    ),
]


class Classes(Options):
    """Options of every recipe for tasks with classes."""

    class_weights: Literal["none", "balanced"] = "none"
    decision: Literal["auto", "argmax", "threshold"] = "auto"


# ---- a head on frozen features


class Head(Classes):
    strengths: Annotated[
        list[Annotated[float, Field(gt=0)]], Field(min_length=1, description="L2 strengths of a probe.")
    ] = STRENGTHS


class PictureHead(Head):
    image_size: ImageSize = None


class TextHead(Head):
    max_length: MaxLength = None
    pooling: Pooling = None
    layers: Annotated[
        Literal["last", "mean"] | None,
        Field(description="Features of texts from the last layer, or the mean of all layers."),
    ] = None


Several = Annotated[
    Literal["several"],
    Field(description="Of pictures the last map of each stage and the features; of texts four layers, evenly spaced."),
]


class PictureLayers(PictureHead):
    layers: Several = "several"


class TextLayers(TextHead):
    layers: Several = "several"  # type: ignore[assignment]


class NaiveBayes(Classes):
    smoothings: Annotated[
        list[Annotated[float, Field(gt=0)]],
        Field(min_length=1, description="Added to every count; chosen inside the training folds."),
    ] = SMOOTHINGS
    vocabulary: Annotated[
        int, Field(ge=1, le=10_000_000, description="Most n-grams that are counted: those of the most texts.")
    ] = 100_000


# ---- a network that is trained


class Network(Classes):
    epochs: Epochs = 12
    learning_rate: LearningRate = 1e-3
    weight_decay: WeightDecay = 0.05
    layer_decay: LayerDecay = 0.8
    batch_size: BatchSize = 16
    patience: Patience = 4
    validation: Validation = 0.2
    average: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="The mean of the weights of so many last epochs is validated and kept; 1: no mean.",
        ),
    ] = 1


class PictureNetwork(Network):
    augment: Literal["none", "light", "standard"] = "standard"
    image_size: ImageSize = None


class TextNetwork(Network):
    """Small encoders, short schedules: the rates of Mosbach et al. 2021 (section 6: bias correction, warm-up, until the loss is small) for 20 to
    120 million parameters; not tuned, see docs/decisions/text-recipes.md.
    """

    epochs: Epochs = 6
    learning_rate: LearningRate = 1e-4
    weight_decay: WeightDecay = 0.01
    layer_decay: LayerDecay = 0.9
    batch_size: BatchSize = 32
    patience: Patience = 2
    validation: Validation = 0.1
    max_length: MaxLength = None
    pooling: Pooling = None


class LastStage(Network):
    image_size: ImageSize = None
    views: Views = 2


Loss = Annotated[
    Literal["cross-entropy", "cross-entropy+dice"],
    Field(description="Of every pixel; + dice: and of the overlap of each class, which rare classes profit from."),
]
FrameSize = Annotated[
    Annotated[int, Field(ge=32, le=4096)] | None,
    Field(
        description="Longer side of the frame that whole pictures are scaled into. Default: that of the pictures, at most 512."
    ),
]


BoxFrameSize = Annotated[
    Annotated[int, Field(ge=32, le=4096)] | None,
    Field(
        description="Longer side of the frame that whole pictures are scaled into. Default: that of the pictures, at most 416."
    ),
]


class Mask(Network):
    """Every picture holds thousands of labels, so there are fewer of them and they pass more often."""

    epochs: Epochs = 40
    learning_rate: LearningRate = 3e-3
    batch_size: BatchSize = 4
    patience: Patience = 10
    image_size: FrameSize = None
    loss: Loss = "cross-entropy"


class MaskNetwork(Mask):
    augment: Literal["none", "light", "standard"] = "standard"


class RandomMaskNetwork(MaskNetwork):
    layer_decay: LayerDecay = 1.0


class MaskHead(Mask):
    """Its maps are kept, so augmentation is a choice between views that are kept too."""

    views: Views = 2


class Box(Network):
    """A picture holds a dozen boxes and thousands of places without one."""

    epochs: Epochs = 16
    learning_rate: LearningRate = 2e-3
    batch_size: BatchSize = 8
    patience: Patience = 6
    image_size: BoxFrameSize = None


class BoxNetwork(Box):
    augment: Literal["none", "light", "gentle", "standard"] = "gentle"


class RandomBoxNetwork(BoxNetwork):
    layer_decay: LayerDecay = 1.0


class BoxHead(Box):
    """Its maps are kept, as those of masks."""

    views: Views = 2


class OfPlaced(NamedTuple):
    """Options where answers have a place in the picture.

    Attributes:
        head: Of what is trained on kept maps.
        network: Of the whole network.
        random: Of one with random weights.
    """

    head: type[Options]
    network: type[Options]
    random: type[Options]


# by the name of the kind
PLACED = {
    Masks.name: OfPlaced(MaskHead, MaskNetwork, RandomMaskNetwork),
    BoxesKind.name: OfPlaced(BoxHead, BoxNetwork, RandomBoxNetwork),
}


def placed(trained: Literal["head", "network", "random"]) -> dict[str, type[Options]]:
    """Options of every kind whose answers have a place in the picture, as `Recipe.options` takes them."""
    return {kind: getattr(options, trained) for kind, options in PLACED.items()}


class InSteps(Options):
    """Few examples make short epochs, and need more of them."""

    epochs: Annotated[
        Epochs | None,
        Field(
            description=f"Most passes over the training part. Default: as many as `steps` takes, {FEWEST_EPOCHS} to {MOST_EPOCHS}."
        ),
    ] = None
    steps: Steps = 100


class ProbedNetwork(Network):
    """lp-ft begins with the probe's head, so it goes on more carefully."""

    head: Start = "probe"
    epochs: Epochs = 8
    learning_rate: LearningRate = 3e-4


class FinetunedPictures(InSteps, PictureNetwork):
    """Begins with the probe's head and goes on carefully; measured, see docs/decisions/finetune.md."""

    head: Start = "probe"
    learning_rate: LearningRate = 3e-4


class FinetunedTexts(InSteps, TextNetwork):
    """The head begins at random: that of a probe fits few texts so well that little is left to learn from; see docs/decisions/finetune.md."""

    steps: Steps = 200
    patience: Patience = 4
    head_rate: HeadRate = 1.0


class FinetunedSpans(FinetunedTexts):
    """Nineteen of twenty words belong to no entity. At a rate that a new head needs, the encoder forgets what tells words apart before the head
    has learnt to use it, so the head has a rate of its own; see docs/decisions/finetune.md.
    """

    head_rate: HeadRate = 20.0
    batch_size: BatchSize = 16
    patience: Patience = 6


class ProbedTexts(TextNetwork):
    head: Start = "probe"
    epochs: Epochs = 4


class RandomNetwork(Network):
    """Random weights have no layers that should move less than others."""

    layer_decay: LayerDecay = 1.0


class RandomPictureNetwork(PictureNetwork):
    layer_decay: LayerDecay = 1.0


class RandomTextNetwork(TextNetwork):
    layer_decay: LayerDecay = 1.0


class Joint(FinetunedTexts):
    fine_weight: Annotated[
        float,
        Field(gt=0, le=1000, description="Weight of the loss on labels in `joint`: L_pre + fine_weight x L_fine."),
    ] = 1.0


class Adapters(TextNetwork):
    rank: Annotated[
        int,
        Field(ge=1, le=1024, description="Of lora's adapters: the size of the space that each layer's change lies in."),
    ] = 8
    alpha: Annotated[float, Field(gt=0, le=10_000, description="lora's adapters are scaled by alpha / rank.")] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1, description="On the inputs of lora's adapters.")] = 0.0
    targets: Annotated[
        Literal["all-linear", "query-value"],
        Field(description="Which layers lora adapts: every linear one, or the query and value projections."),
    ] = "all-linear"
    epochs: Epochs = 10
    learning_rate: LearningRate = 1e-3
    layer_decay: LayerDecay = 1.0
    patience: Patience = 3


class Textbook(Options):
    """What tutorials do."""

    epochs: Epochs = 10
    learning_rate: LearningRate = 1e-3
    batch_size: BatchSize = 16
    image_size: ImageSize = None
