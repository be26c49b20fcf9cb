"""Image folders: layouts that are read, and images and folders that are refused."""

from __future__ import annotations

import pytest
from PIL import Image

from tunebook.data.sources import image_folder
from tunebook.data.sources.base import LoadContext
from tunebook.errors import DataError, DataFileMissing


@pytest.fixture
def paint(tmp_path):
    def painter(*names: str) -> None:
        for number, name in enumerate(names):
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((40, 30 + number), 50).convert("RGB").save(file)

    return painter


def load(folder, **options):
    return image_folder.load(image_folder.Options(**options), LoadContext(cwd=folder))


def refusal(folder, **options) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, **options)
    return str(caught.value)


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "dev"])
def test_splits(tmp_path, paint, validation):
    paint("p/train/b/1.jpg", "p/train/a/2.png", "p/train/a/.hidden.png", f"p/{validation}/a/1.jpg", "p/test/b/1.JPG")
    splits = load(tmp_path, path="p")
    assert {name: split["label"][:] for name, split in splits.items()} == {
        "train": ["a", "b"],
        "validation": ["a"],
        "test": ["b"],
    }
    assert splits["train"][0]["image"].size == (40, 31)


def test_classes_without_splits_are_train(tmp_path, paint):
    paint("p/cat/1.jpg", "p/dog/1.jpg")
    splits = load(tmp_path, path="p")
    assert {name: split["label"][:] for name, split in splits.items()} == {"train": ["cat", "dog"]}


def test_a_folder_for_each_split(tmp_path, paint):
    paint("one/a/1.jpg", "one/b/1.jpg", "two/b/1.jpg")
    splits = load(tmp_path, train="one", test="two")
    assert splits.num_rows == {"train": 2, "test": 1}


def test_unreadable_images_are_listed(tmp_path, paint):
    paint(*(f"p/a/{number:02}.jpg" for number in range(30)), "p/b/0.png", "p/b/1.jpg")
    for number in range(25):
        (tmp_path / f"p/a/{number:02}.jpg").write_text("no image")
    (tmp_path / "p/b/0.png").write_bytes(b"")
    message = refusal(tmp_path, path="p")
    assert message.startswith("21 problems")
    assert "p/a/19.jpg" in message
    assert "p/a/20.jpg" not in message
    assert "and 6 more; 26 of 32 images cannot be read" in message


@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.bmp", "1.webp"])
def test_images_that_are_cut_short(tmp_path, paint, name):
    paint(f"p/a/{name}", "p/b/1.jpg")
    file = tmp_path / "p/a" / name
    file.write_bytes(file.read_bytes()[:-300])
    assert f"p/a/{name}" in refusal(tmp_path, path="p")


@pytest.mark.parametrize(
    ("painted", "folder", "part"),
    [
        (["p/train/a/1.jpg", "p/train/b/1.jpg", "p/test/c/1.jpg"], None, "has classes that train lacks: c"),
        (["p/a/1.jpg", "p/b/1.jpg"], "p/c", "class folders without images"),
        (["p/val/a/1.jpg"], None, "has no folder train; it has: val"),
        (["p/train/a/1.jpg", "p/val/a/1.jpg", "p/dev/a/1.jpg"], None, "both for validation"),
        (["p/1.jpg"], None, "has no class folders"),
        (["p/a/1.jpg", "p/b/1.jpg", "p/2.jpg"], None, "1 images outside"),
    ],
)
def test_layouts_that_are_refused(tmp_path, paint, painted, folder, part):
    paint(*painted)
    if folder:
        (tmp_path / folder).mkdir()
    assert part in refusal(tmp_path, path="p")


def test_missing_folder(tmp_path, paint):
    paint("photos/a/1.jpg")
    with pytest.raises(DataFileMissing, match=r"did you mean photos\?"):
        load(tmp_path, path="photo")


@pytest.mark.parametrize("options", [{}, {"path": "p", "train": "p"}])
def test_path_or_splits(tmp_path, options):
    assert "give either dataset.path or dataset.train" in refusal(tmp_path, **options)


def test_images_deeper_than_the_class_are_refused_unless_said(tmp_path, paint):
    paint("p/train/a/1.jpg", "p/train/b/x/1.jpg", "p/train/b/y/2.jpg")
    message = refusal(tmp_path, path="p")
    assert "has images deeper than CLASS/: b/x/1.jpg and 1 more; are its folders classes (a, b)?" in message
    assert load(tmp_path, path="p", nested=True)["train"]["label"][:] == ["a", "b", "b"]


def test_a_folder_above_the_splits_is_no_folder_of_classes(tmp_path, paint):
    """Without the rule each split would be taken for a class."""
    paint("p/photos/train/a/1.jpg", "p/photos/test/b/1.jpg")
    assert "deeper than CLASS/: photos/test/b/1.jpg" in refusal(tmp_path, path="p")


def test_names_of_splits_in_capitals(tmp_path, paint):
    paint("p/Train/a/1.jpg", "p/Train/b/1.jpg", "p/Val/a/1.jpg", "p/TEST/b/1.jpg")
    assert load(tmp_path, path="p").num_rows == {"train": 2, "validation": 1, "test": 1}


def test_files_that_are_no_images_are_counted(tmp_path, paint, caplog):
    paint("p/a/1.jpg", "p/b/1.jpg")
    for name in ("a/1.heic", "a/2.HEIC", "b/notes.txt", "b/.hidden"):
        (tmp_path / "p" / name).write_text("x")
    with caplog.at_level("WARNING", logger="tunebook"):
        load(tmp_path, path="p")
    assert "3 files in class folders are left out, being no images by their ending: 2 .heic, 1 .txt" in caplog.text
