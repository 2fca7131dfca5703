"""The detector: boxes move with their pictures and come back to their own pixels, every box has places that answer for it, and what nobody
drew is not learnt from where it is not known.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.box_scenes import COLOURS, rectangles
from weigh.heads.base import HEADS
from weigh.heads.box_assignment import NEAREST, NOBODY, SIDE, assign
from weigh.heads.boxes import Detector
from weigh.inputs.augment import augment, augment_boxes, draw
from weigh.inputs.base import Batch, Placed
from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Boxes, Detections, overlaps
from weigh.kinds.box_statistics import BoxStatistics, compare_boxes
from weigh.models.maps import Level, Pyramid

BOXES = HEADS.get("boxes")
FRAME = (64, 96)


def pyramid(*strides: int, width: int = 8) -> Pyramid:
    return Pyramid(torch.nn.Identity(), tuple(Level(f"at{s}", s, width, "first") for s in strides))


def detector(*strides: int, classes: int = 3, seed: int | None = 0) -> Detector:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return Detector(pyramid(*(strides or (8, 16, 32))), classes, generator).eval()


def maps(strides=(8, 16, 32), frame=FRAME, n=2, width=8) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, width, frame[0] // s, frame[1] // s, generator=generator) for s in strides]


# ---- moving with the picture


def drawn_of(*crops) -> torch.Tensor:
    return torch.tensor(crops, dtype=torch.float32)


@pytest.mark.parametrize("kind", ["light", "standard", "contrast"])
def test_boxes_sit_on_their_colours_after_augmentation(kind):
    rng = np.random.default_rng(2)
    scenes = [rectangles(rng, 96, 128, 4) for _ in range(40)]
    pictures = torch.from_numpy(np.stack([picture for picture, _ in scenes]))
    drawn = draw(len(scenes), kind, torch.Generator().manual_seed(0))
    moved = augment(pictures, drawn, (96, 128)).numpy().astype(int)
    targets = BOXES.targets(rows_of([boxes for _, boxes in scenes]), torch.zeros(1), Placed((96, 128), drawn)).numpy()
    checked = dropped = 0
    for picture, rows in zip(moved, targets, strict=True):
        covered = np.zeros(picture.shape[:2], dtype=bool)
        for left, top, right, bottom, of_class in rows:
            if of_class == -2:
                continue
            dropped += of_class == -1
            inner = picture[int(np.ceil(top)) + 1 : int(bottom) - 1, int(np.ceil(left)) + 1 : int(right) - 1]
            if of_class >= 0:
                assert (np.abs(inner - COLOURS[int(of_class)]) < 3).all()
                checked += inner.size > 0
            covered[
                max(0, int(top) - 1) : int(np.ceil(bottom)) + 1, max(0, int(left) - 1) : int(np.ceil(right)) + 1
            ] = True
        colourful = picture.max(axis=2) > 250
        assert not (colourful & ~covered).any(), "what is seen of a rectangle lies in its box"
    assert checked > 60
    assert dropped > 0 or kind == "light"


@pytest.mark.parametrize(
    ("crop", "expected", "enough"),
    [
        ((1, 1, 0, 0, 1), (10, 20, 50, 40), True),
        ((1, 1, 0, 0, -1), (50, 20, 90, 40), True),  # mirrored: left is what right was
        ((0.5, 0.5, -0.5, -0.5, 1), (20, 40, 100, 80), True),  # upper left quarter, twice as large
        ((0.5, 0.5, -0.5, -0.5, -1), (0, 40, 80, 80), True),
        ((0.5, 0.5, 0.5, -0.5, 1), (0, 40, 0, 80), False),  # the right half starts where the box ends
        ((0.4, 1, 0.2, 0, 1), (0, 20, 25, 40), False),  # x from 40 to 80 is seen: 10 of 40 pixels
        ((0.6, 1, 0.0, 0, 1), (0, 20, 50, 40), True),  # from 20 to 80: 30 of 40
        ((0.6, 1, 0.0, 0, -1), (50, 20, 100, 40), True),
    ],
)  # fmt: skip
def test_boxes_are_cut_and_mirrored_as_the_grid_does_it(crop, expected, enough):
    corners = torch.tensor([[[10.0, 20, 50, 40]]])
    moved, shown = augment_boxes(corners, drawn_of(crop), (100, 100))
    np.testing.assert_allclose(moved[0, 0], expected, atol=1e-4)
    assert bool(shown) is enough


def test_a_cut_box_a_crowd_and_an_unknown_class_are_not_trained_on_and_an_empty_one_is_nothing():
    boxes = Boxes.of(
        100, 100, [(10, 20, 50, 40), (0, 0, 20, 20), (50, 50, 60, 60), (30, 30, 30, 50)], [2, 1, -1, 0], crowd=[False, True, False, False],
    )  # fmt: skip
    whole = BOXES.targets(rows_of([boxes]), torch.zeros(1), Placed((100, 100), None))
    assert whole[0, :, 4].tolist() == [2, -1, -1, -2, -3]
    assert whole[0, -1, :4].tolist() == [0, 0, 100, 100]  # what of the frame is picture
    cut = BOXES.targets(rows_of([boxes]), torch.zeros(1), Placed((100, 100), drawn_of((0.4, 1, 0.2, 0, 1))))
    assert cut[0, :, 4].tolist() == [-1, -2, -1, -2, -3]
    assert BOXES.count(whole) == 2  # a box, and the picture


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (64, 96), (37, 200), (480, 640), (1, 50)])
def test_answers_are_in_the_pixels_of_the_picture_exactly(size):
    """What a perfect network says of the frame is what was drawn in the picture."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.5, (4, 2)) * size[::-1]
    corners = np.column_stack([low, low + rng.uniform(0.2, 0.5, (4, 2)) * size[::-1]])
    boxes = Boxes.of(*size, corners, [0, 1, 2, 0])
    target = BOXES.targets(rows_of([boxes]), torch.zeros(1), Placed(FRAME, None))
    logits = torch.full((1, 5, 3 + 7), -20.0)
    for i, row in enumerate(target[0]):
        logits[0, i, int(row[4])] = 3.0 - i
        logits[0, i, 3:7] = row[:4]
    batch = Batch(torch.zeros(1), sizes=np.array([size]), frame=FRAME)
    head = detector()
    head.threshold.fill_(0.25)
    told = BOXES.answers(head, logits, batch, 3)[0]
    assert (told.height, told.width, told.threshold) == (*size, 0.25)
    np.testing.assert_allclose(told.corners, corners, rtol=1e-5, atol=1e-4)
    assert told.classes.tolist() == [0, 1, 2, 0]
    np.testing.assert_allclose(told.scores, 1 / (1 + np.exp([-3.0, -2, -1, 0])), rtol=1e-6)


def test_answers_are_clipped_told_apart_by_class_and_a_hundred_at_most():
    logits = torch.full((3, 400, 2 + 7), -20.0)
    logits[0, :4, 2:6] = torch.tensor([(-5.0, -5, 30, 30), (-5, -5, 31, 31), (-5, -5, 30, 30), (70, 10, 90, 20)])
    logits[0, 0, 0], logits[0, 1, 0], logits[0, 2, 1], logits[0, 3, 0] = (
        2,
        1,
        3,
        4,
    )  # the last one lies beside the picture
    x = torch.arange(400) % 20 * 4.0
    y = torch.arange(400) // 20 * 3.0
    logits[1, :, 2:6] = torch.stack([x, y, x + 4, y + 3], dim=1)
    logits[1, :, 0] = torch.linspace(3, -3, 400)
    batch = Batch(torch.zeros(3), sizes=np.array([(64, 64), (64, 96), (64, 64)]), frame=FRAME)
    first, many, none = BOXES.answers(detector(classes=2), logits, batch, 2)
    assert first.classes.tolist() == [1, 0]
    np.testing.assert_allclose(first.corners, [(0, 0, 30, 30)] * 2)
    assert len(many.scores) == 100
    assert (np.diff(many.scores) <= 0).all()
    assert many.scores[0] == pytest.approx(1 / (1 + np.exp(-3)))
    assert len(none.scores) == 0
    assert none.corners.shape == (0, 4)


# ---- which place answers


def reference_assignment(places, boxes):
    """The paper's algorithm 1, box by box, in float64."""
    most, of_box = np.full(len(places), -1.0), np.full(len(places), NOBODY)
    squares = np.column_stack([places[:, :2] - places[:, 2:] * SIDE / 2, places[:, :2] + places[:, 2:] * SIDE / 2])
    for k, box in enumerate(boxes):
        middle = (box[:2] + box[2:]) / 2
        candidates = []
        for stride in np.unique(places[:, 2]):
            own = np.flatnonzero(places[:, 2] == stride)
            far = np.square(places[own, :2] - middle).sum(axis=1)
            candidates += own[np.argsort(far, kind="stable")[:NEAREST]].tolist()
        shared = overlaps(box[None], squares[candidates])[0]
        within = ((places[candidates, :2] > box[:2]) & (places[candidates, :2] < box[2:])).all(axis=1)
        answering = (shared >= shared.mean() + shared.std()) & within
        if not answering.any():
            answering = shared == shared.max()
        for place, own in zip(np.array(candidates)[answering], shared[answering], strict=True):
            if own > most[place]:
                most[place], of_box[place] = own, k
    return of_box.tolist()


def test_places_are_those_of_the_paper():
    rng = np.random.default_rng(5)
    places = Detector(pyramid(8, 16, 32), 1, None)(
        [torch.zeros(1, 8, FRAME[0] // s, FRAME[1] // s) for s in (8, 16, 32)]
    )[0, :, -3:].detach()
    for _ in range(30):
        low = rng.uniform(0, 50, (5, 2))
        boxes = np.column_stack([low, low + rng.uniform(1, 45, (5, 2))]).astype(np.float32)
        got = assign(places, torch.from_numpy(boxes)[None], torch.ones(1, 5, dtype=torch.bool))[0]
        assert got.tolist() == reference_assignment(places.numpy().astype(float), boxes.astype(float))


@pytest.mark.parametrize("box", [(20.5, 20.5, 22, 22), (1, 1, 2, 2), (0, 0, 96, 64), (3, 30, 93, 31), (94, 62, 96, 64)])
def test_no_box_is_without_a_place(box):
    places = detector()(maps(n=1))[0, :, -3:].detach()
    assert (assign(places, torch.tensor([[box]], dtype=torch.float32), torch.ones(1, 1, dtype=torch.bool)) == 0).any()


# ---- network and loss


@pytest.mark.parametrize("strides", [(8, 16, 32), (4, 8, 16, 32), (16,), (4, 8), (32,), (2, 4), (14,)])
def test_places_cover_the_frame_whatever_strides_the_model_has(strides):
    frame = (112, 168) if strides == (14,) else FRAME
    answers = detector(*strides)(maps(strides, frame)).detach()
    x, y, stride = answers[0, :, -3:].T
    assert answers.dtype == torch.float32
    assert len(stride.unique()) == 3
    for one in stride.unique():
        own = stride == one
        assert (x[own].min(), y[own].min()) == (one / 2, one / 2)
        assert (x[own].max(), y[own].max()) == (frame[1] - one / 2, frame[0] - one / 2)
    start = torch.cat([answers[..., 3:5] - answers[..., -3:-1], answers[..., 5:7] - answers[..., -3:-1]], dim=2).abs()
    np.testing.assert_allclose(start, (answers[..., -1:] * SIDE / 2).expand_as(start), rtol=0.3)
    np.testing.assert_allclose(answers[..., :3].sigmoid(), 0.01, rtol=0.6)


def test_answers_are_exact_numbers_under_autocast():
    head, given = detector(), maps()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        half = head(given)
        assert half.dtype == torch.float32
        assert torch.equal(half[..., -3:], head(given)[..., -3:])
    fine = half[..., 3:7] * 64
    assert not torch.equal(fine, fine.round())


def test_the_same_generator_draws_the_same_detector_and_none_draws_zeros():
    state, again, other = (detector(seed=seed).state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert not all(torch.equal(state[name], other[name]) for name in state)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert all(torch.equal(value, state[name]) for name, value in detector(seed=4).state_dict().items())
    assert detector(seed=None)(maps()).isfinite().all()


def gradient_of_scores(boxes: list[Boxes], weight=None) -> tuple[float, torch.Tensor, torch.Tensor]:
    answers = detector()(maps(n=len(boxes))).detach().requires_grad_()
    target = BOXES.targets(rows_of(boxes), torch.zeros(1), Placed(FRAME, None))
    loss = BOXES.loss(answers, target, weight)
    loss.backward()
    return float(loss.detach()), answers.grad[..., :3], answers


NO_BOX = Boxes.of(*FRAME, np.zeros((0, 4)), [])


def test_pictures_without_boxes_teach_that_nothing_is_there():
    loss, gradient, _ = gradient_of_scores([NO_BOX, NO_BOX])
    assert 0 < loss < 10
    assert (gradient > 0).all()


def test_crowds_and_unknown_classes_are_not_trained_on():
    region = (0.0, 0, 48, 64)
    for boxes in (Boxes.of(*FRAME, [region], [1], crowd=[True]), Boxes.of(*FRAME, [region], [-1])):
        _, gradient, answers = gradient_of_scores([boxes, NO_BOX])
        x, y = answers[0, :, -3], answers[0, :, -2]
        within = (x > 0) & (x < 48) & (y > 0) & (y < 64)
        assert 0 < int(within.sum()) < len(x)
        assert (gradient[0][within] == 0).all()
        assert (gradient[0][~within] > 0).all()
        assert (gradient[1] > 0).all()


def test_a_step_against_the_loss_raises_the_score_of_the_right_class_at_the_right_places():
    box = Boxes.of(*FRAME, [(10, 10, 60, 50)], [2])
    _, gradient, answers = gradient_of_scores([box, NO_BOX])
    answering = (
        assign(answers[0, :, -3:], torch.tensor([[[10.0, 10, 60, 50]]]), torch.ones(1, 1, dtype=torch.bool))[0] == 0
    )
    assert 1 <= int(answering.sum()) <= 27
    assert (gradient[0, answering, 2] < 0).all()
    assert (gradient[0, answering, :2] > 0).all()
    assert (gradient[0, ~answering] > 0).all()


def test_balance_gives_every_class_the_same_total_and_weighs_its_boxes():
    boxes = rows_of(
        [
            Boxes.of(*FRAME, [(0, 0, 9, 9)] * 4, [0, 0, 0, 1]),
            Boxes.of(*FRAME, [(0, 0, 9, 9)] * 2, [-1, 1], crowd=[False, True]),
        ]
    )
    weight = BOXES.balance(boxes, 3)
    np.testing.assert_allclose(weight, [4 / 6, 2, 0])
    one = [Boxes.of(*FRAME, [(10, 10, 60, 50)], [1])]
    plain, gradient, _ = gradient_of_scores(one)
    loss, weighed, _ = gradient_of_scores(one, torch.tensor([1.0, 3.0, 1.0]))
    assert loss > plain
    rows = gradient[0, :, 1] < 0
    torch.testing.assert_close(weighed[0, rows, 1], 3 * gradient[0, rows, 1])


# ---- the threshold


def best_f1(answers: list[Detections], boxes: list[Boxes], threshold: float) -> float:
    told = [answer._replace(threshold=threshold) for answer in answers]
    hit, named, drawn = BoxStatistics.occurring(compare_boxes(told, boxes)).told.sum(axis=(0, 1))
    return 2 * hit / max(named + drawn, 1)


@pytest.mark.parametrize("seed", range(4))
def test_no_other_threshold_has_a_greater_f1(seed):
    rng = np.random.default_rng(seed)
    boxes, answers = [], []
    for _ in range(6):
        _, drawn = rectangles(rng, 96, 128, 4)
        m = len(drawn.classes)
        corners = np.concatenate(
            [drawn.corners + rng.integers(-4, 5, (m, 4)), np.array([0, 0, 9, 9]) + rng.uniform(0, 40, (9, 1))]
        )
        scores = np.round(np.concatenate([rng.beta(4, 2, m), rng.beta(2, 4, 9)]), 1 if seed else 6)  # ties
        answers.append(Detections.of(96, 128, corners, np.concatenate([drawn.classes, rng.integers(0, 3, 9)]), scores))
        boxes.append(drawn)
    chosen = BOXES.settle(compare_boxes(answers, boxes), rows_of(boxes))["threshold"]
    best = best_f1(answers, boxes, chosen)
    assert 0 < best < 1
    scores = np.unique(np.concatenate([answer.scores for answer in answers]))
    assert best == max(best_f1(answers, boxes, threshold) for threshold in [*scores, chosen])


@pytest.mark.parametrize("scores", [[], [0.9]])
def test_without_anything_to_find_or_found_the_threshold_is_one_half(scores):
    answers = [Detections.of(*FRAME, [(0, 0, 9, 9)] * len(scores), [0] * len(scores), scores)]
    assert BOXES.settle(compare_boxes(answers, [NO_BOX]), rows_of([NO_BOX])) == {"threshold": 0.5}
    assert BOXES.settle(compare_boxes(answers, [Boxes.of(*FRAME, [(50, 30, 80, 50)], [0])]), None) == {"threshold": 0.5}
