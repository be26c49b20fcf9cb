"""Images follow from (seed, row, epoch, copy) alone, keep their size and colours, and nothing else's chance moves."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from tunebook.data.augmentation import image
from tunebook.data.row_key import RowKey
from tunebook.errors import ConfigurationError

EVERYTHING = {
    "crop_scale": 0.5, "horizontal_flip": 0.5, "vertical_flip": 0.5, "rotation": 20, "brightness": 0.2,
    "contrast": 0.2, "saturation": 0.2, "hue": 0.1, "randaugment": {"n": 2, "m": 9},
}  # fmt: skip
SHIFTED = {"crop_padding": 0.25, "randaugment": {"n": 3, "m": 20}}


def images(count=6, size=(20, 16), seed=0):
    numbers = np.random.default_rng(seed)
    return [Image.fromarray(numbers.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)) for _ in range(count)]


def augmentation(seed=1, **options):
    return image.Augmentation(image.Options(**options), seed)


def pixels(found):
    return [np.asarray(one) for one in found["image"]]


def same(ours, others):
    return all(np.array_equal(a, b) for a, b in zip(ours, others, strict=True))


@pytest.mark.parametrize("options", [EVERYTHING, SHIFTED])
def test_the_same_key_gives_the_same_pixels_and_another_epoch_copy_or_seed_gives_others(options):
    rows = {"image": images()}
    keys = [RowKey(at) for at in range(6)]
    first = pixels(augmentation(**options).apply(rows, keys))
    assert same(first, pixels(augmentation(**options).apply(rows, keys)))
    assert not same(first, pixels(rows))
    for other in (
        augmentation(**options).apply(rows, [key._replace(epoch=1) for key in keys]),
        augmentation(**options).apply(rows, [key._replace(copy=1) for key in keys]),
        augmentation(seed=2, **options).apply(rows, keys),
    ):
        assert sum(np.array_equal(a, b) for a, b in zip(first, pixels(other), strict=True)) <= 1


@pytest.mark.parametrize("options", [EVERYTHING, SHIFTED])
def test_what_else_is_in_the_batch_and_its_order_change_nothing(options):
    ours, keys = images(), [RowKey(at, 3) for at in range(6)]
    method = augmentation(**options)
    whole = pixels(method.apply({"image": ours}, keys))
    alone = [pixels(method.apply({"image": [one]}, [key]))[0] for one, key in zip(ours, keys, strict=True)]
    backwards = pixels(method.apply({"image": ours[::-1]}, keys[::-1]))[::-1]
    assert same(whole, alone)
    assert same(whole, backwards)


def test_no_one_elses_random_numbers_are_touched():
    method = augmentation(**EVERYTHING)
    method.apply({"image": images()}, [RowKey(at) for at in range(6)])
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = method.apply({"image": images()}, [RowKey(at) for at in range(6)])
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()
    torch.manual_seed(99), np.random.seed(99), random.seed(99)
    assert same(pixels(first), pixels(method.apply({"image": images()}, [RowKey(at) for at in range(6)])))


def test_a_gpu_is_not_seeded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("dropout on a GPU would repeat itself"))
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("seeds every device"))
    augmentation(**EVERYTHING).apply({"image": images(1)}, [RowKey(0)])


def test_the_rows_given_are_not_changed():
    rows = {"image": images(), "label": [0] * 6}
    before = pixels(rows)
    found = augmentation(**EVERYTHING).apply(rows, [RowKey(at) for at in range(6)])
    assert same(before, pixels(rows))
    assert found["label"] == [0] * 6
    assert [one.size for one in found["image"]] == [(20, 16)] * 6


def test_a_certain_flip_is_a_flip_to_the_bit():
    (one,) = images(1)
    assert np.array_equal(pixels(augmentation(horizontal_flip=1).apply({"image": [one]}, [RowKey(0)]))[0],
                          np.asarray(one)[:, ::-1])  # fmt: skip
    assert np.array_equal(pixels(augmentation(vertical_flip=1).apply({"image": [one]}, [RowKey(0)]))[0],
                          np.asarray(one)[::-1])  # fmt: skip


def test_half_of_the_images_are_flipped():
    (one,) = images(1)
    rows = {"image": [one] * 200}
    found = pixels(augmentation(horizontal_flip=0.5).apply(rows, [RowKey(at) for at in range(200)]))
    assert 70 < sum(np.array_equal(pixel, np.asarray(one)[:, ::-1]) for pixel in found) < 130


def test_shifted_images_are_a_part_of_the_padded_one():
    one = Image.fromarray(np.arange(1, 65, dtype=np.uint8).reshape(8, 8))
    padded = np.pad(np.asarray(one), 2)
    windows = [padded[y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    rows, keys = {"image": [one] * 30}, [RowKey(at) for at in range(30)]
    found = pixels(augmentation(crop_padding=0.25).apply(rows, keys))
    places = [next(at for at, window in enumerate(windows) if np.array_equal(window, pixel)) for pixel in found]
    assert len(set(places)) > 10


def test_grey_stays_grey_and_colours_leave_it_alone():
    grey = images(1)[0].convert("L")
    for at in range(20):
        found = augmentation(**EVERYTHING).apply({"image": [grey]}, [RowKey(at)])["image"][0]
        assert (found.mode, found.size) == ("L", grey.size)
    same_grey = augmentation(saturation=1, hue=0.5).apply({"image": [grey]}, [RowKey(0)])["image"][0]
    assert np.abs(np.asarray(same_grey).astype(int) - np.asarray(grey)).max() <= 1
    assert augmentation(hue=0.5).apply({"image": [grey.convert("P")]}, [RowKey(0)])["image"][0].mode == "RGB"


def test_nothing_set_is_not_active():
    assert not augmentation().active
    assert not augmentation(mixup=0.2, mix_probability=0).active
    mixing = augmentation(mixup=0.2)
    assert (mixing.active, mixing.mixes) == (True, "pixels")
    rows = {"image": images(1)}
    assert mixing.apply(rows, [RowKey(0)]) is rows
    assert augmentation(horizontal_flip=0.5).mixes is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"crop_scale": 0.5, "crop_padding": 0.1}, "two ways to crop"),
        ({"rotation": 181}, "less than or equal to 180"),
        ({"hue": 0.6}, "less than or equal to 0.5"),
        ({"randaugment": {"n": 16}}, "less than or equal to 15"),
        ({"randaugment": {"m": 30}}, "less than or equal to 29"),
        ({"mixup": 0}, "greater than 0"),
        ({"horizontal_flip": True}, "should be a number"),
    ],
)
def test_settings_out_of_range_are_refused(options, said):
    with pytest.raises(ValidationError, match=said):
        image.Options(**options)


def test_without_kornia_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(image.importlib.util, "find_spec", lambda name: None)
    assert image.missing(image.Options(mixup=0.2)) == []
    with pytest.raises(ConfigurationError, match=r"pip install 'tunebook\[images\]'"):
        augmentation(rotation=5)


def test_asking_for_problems_imports_neither_torch_nor_kornia():
    program = (
        "import sys\n"
        "from tunebook.data.augmentation import image\n"
        "assert image.missing(image.Options(rotation=5)) == []\n"
        "print(sorted({'torch', 'kornia', 'PIL', 'numpy'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
