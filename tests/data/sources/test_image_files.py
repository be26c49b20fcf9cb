"""Tables that name image files: where the paths start, and every image that cannot be read with its row."""

from __future__ import annotations

import io

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from tunebook.data.sources import image_files
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


def load(folder, column="image", **options):
    context = LoadContext(roles={"image": column, "label": "label"}, required=("image", "label"), cwd=folder)
    assert image_files.preflight(image_files.Options(**options), context) == []
    return image_files.load(image_files.Options(**options), context)


def refusal(folder, column="image", **options) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, column, **options)
    return str(caught.value)


def heights(split, column="image"):
    return [image and image.size[1] for image in split[column]]


def test_paths_start_from_each_table(tmp_path, paint, write):
    paint("one/x.jpg", "two/deep/x.png", "two/y.jpg")
    write("one/a.csv", "file,label\nx.jpg,cat\n")
    write("two/a.csv", "file,label\ndeep/x.png,dog\n y.jpg ,cat\n")
    splits = load(tmp_path, "file", train=["one/a.csv", "two/a.csv"], test="two/a.csv")
    assert heights(splits["train"], "file") == [30, 31, 32]
    assert splits["train"]["label"][:] == ["cat", "dog", "cat"]
    assert heights(splits["test"], "file") == [31, 32]
    assert isinstance(splits["train"].features["file"], type(splits["test"].features["file"]))


def test_paths_start_from_the_root_that_is_said(tmp_path, paint, write):
    paint("pictures/x.jpg", "elsewhere.jpg")
    write("lists/a.jsonl", f'{{"image": "x.jpg", "label": 1}}\n{{"image": "{tmp_path}/elsewhere.jpg", "label": 0}}')
    assert heights(load(tmp_path, train="lists/a.jsonl", image_root="pictures")["train"]) == [30, 31]
    context = LoadContext(roles={"image": "image"}, required=("image",), cwd=tmp_path)
    options = image_files.Options(train="lists/a.jsonl", image_root="picture")
    (problem,) = image_files.preflight(options, context)
    assert (problem.key, "did you mean pictures?" in problem.message) == ("dataset.image_root", True)
    with pytest.raises(DataFileMissing):
        image_files.load(options, context)


def test_parquet_of_paths_and_of_bytes(tmp_path, paint):
    paint("x.jpg", "y.jpg")
    held = [(tmp_path / name).read_bytes() for name in ("x.jpg", "y.jpg")]
    columns = {
        "paths": ["x.jpg", "y.jpg"],
        "bytes": held,
        "both": [{"bytes": content, "path": None} for content in held],
    }
    for name, values in columns.items():
        parquet.write_table(pyarrow.table({"image": values, "label": [0, 1]}), tmp_path / f"{name}.parquet")
        assert heights(load(tmp_path, train=f"{name}.parquet")["train"]) == [30, 31]
    broken = pyarrow.table({"image": [held[0], held[1][:300]], "label": [0, 1]})
    parquet.write_table(broken, tmp_path / "broken.parquet")
    message = refusal(tmp_path, train="broken.parquet")
    assert message.startswith("1 problem ")
    assert "(broken.parquet, row 1)" in message


def test_every_image_that_cannot_be_read_at_once(tmp_path, paint, write):
    paint("good.jpg", "cut.jpg", "bad/x.jpg")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-300])
    (tmp_path / "none.jpg").write_bytes(b"")
    names = ["good.jpg", "gone.jpg", "text.png", "good.jpg", "cut.jpg", "bad", "none.jpg", "http://a/b.jpg", "gone.jpg"]
    write("a.csv", "image,label\n" + "".join(f"{name},{row % 2}\n" for row, name in enumerate(names)))
    message = refusal(tmp_path, train="a.csv")
    assert message.startswith("6 problems")
    for row, what in {
        1: "there is no gone.jpg",
        2: "no known image format",
        4: "is not a readable image",
        5: "neither a file nor a folder",
        6: "empty file",
        7: "is an address",
    }.items():
        line = next(line for line in message.split("\n") if f"(a.csv, row {row})" in line)
        assert what in line or row == 5


def test_many_are_counted(tmp_path, write):
    write("a.csv", "image,label\n" + "".join(f"{row}.jpg,{row % 2}\n" for row in range(30)))
    message = refusal(tmp_path, train="a.csv")
    assert message.startswith("21 problems")
    assert "and 10 more; 30 of 30 images cannot be read" in message


def test_a_missing_folder_is_told_once_with_its_rows(tmp_path, paint, write):
    paint("good.jpg")
    names = [f"pics/{row % 2}/{row}.jpg" for row in range(25)]
    write("a.csv", "image,label\ngood.jpg,1\n" + "".join(f"{name},0\n" for name in [*names, names[0]]))
    message = refusal(tmp_path, train="a.csv")
    assert message.startswith("1 problem ")
    assert f"{tmp_path / 'pics'} " in message
    assert "(a.csv, row 1)   there is no such folder; 26 rows name images in it" in message


def test_a_missing_path_is_left_for_the_policy_on_missing_values(tmp_path, paint, write):
    paint("x.jpg", "y.jpg")
    write("a.csv", "image,label\nx.jpg,1\n,0\ny.jpg,0\n")
    assert heights(load(tmp_path, train="a.csv")["train"]) == [30, None, 31]


def test_numbers_are_no_paths(tmp_path, write):
    write("a.jsonl", '{"image": 1, "label": 1}\n{"image": 2, "label": 0}')
    assert "must hold the paths of images" in refusal(tmp_path, train="a.jsonl")


def test_an_image_that_claims_to_be_vast(tmp_path, write):
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    write("bomb.png", png)
    write("a.csv", "image,label\nbomb.png,1\n")
    assert "decompression bomb" in refusal(tmp_path, train="a.csv")
    table = pyarrow.table({"image": [io.BytesIO(png).getvalue()], "label": [1]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert "decompression bomb" in refusal(tmp_path, train="a.parquet")
