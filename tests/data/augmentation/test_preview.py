"""The preview shows what a run with the same seed draws."""

import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from PIL import Image as Pillow

from tests.data.augmentation.test_paraphrase import prepared
from tunebook.data.augmentation import image, none, paraphrase, text
from tunebook.data.augmentation._preview import idle, preview
from tunebook.data.labels.base import LabelColumn, Targets
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.prepare import PreparedData
from tunebook.data.row_key import RowKey


def pictures(count=6):
    features = Features({"image": Image(), "label": ClassLabel(names=["cat", "dog"]), "row": Value("int64")})
    numbers = np.random.default_rng(0)
    images = [Pillow.fromarray(numbers.integers(0, 256, (8 + at % 2, 8, 3), dtype=np.uint8)) for at in range(count)]
    columns = {"image": images, "label": [at % 2 for at in range(count)], "row": range(100, 100 + count)}
    train = Dataset.from_dict(columns, features=features)
    return PreparedData(
        DatasetDict({"train": train}),
        Targets(("cat", "dog")),
        {},
        {},
        None,
        "test",
        label=LabelColumn(SingleLabel(), "label", ("cat", "dog")),
    )


def test_images_before_and_after_with_whom_they_are_mixed():
    data = pictures()
    method = image.Augmentation(image.Options(horizontal_flip=0.5, cutmix=1.0), 3)
    shown = preview(data, method, seed=0, count=4, copies=2)
    assert [number for *_, number in shown] == sorted({number for *_, number in shown})
    assert len(shown) == 4
    for before, after, number in shown:
        position = number - 100
        assert before["label"] == ["cat", "dog"][position % 2]
        assert len(after) == 2
        for version in after:
            assert version["image"].size == before["image"].size
            assert version["mixed"].startswith("a part pasted from row 10")
            assert "row" not in version


def test_texts_are_those_of_the_run():
    data = prepared()
    method = text.Augmentation(text.Options(keyboard=1.0, mixup=0.2), 3)
    for before, after, number in preview(data, method, seed=0, count=2, copies=2):
        keys = [RowKey(number - 10, epoch) for epoch in range(2)]
        drawn = method.apply({"text": [before["text"]] * 2}, keys)["text"]
        assert [version["text"] for version in after] == drawn
        assert all("mixed with row 1" in version["mixed"] and version["mixed_text"] for version in after)


def test_paraphrases_are_shown_beside_their_row():
    method = paraphrase.Augmentation(paraphrase.Options(), 0)
    shown = preview(prepared(), method, seed=0)
    assert [(before["text"], [row["text"] for row in after], number) for before, after, number in shown] == [
        ("one", ["a one", "uno"], 10),
        ("three", ["c three"], 12),
        ("four", ["dos"], 13),
    ]
    assert shown[0][1][0]["origin"] == "paraphrase"


def test_a_word_list_of_which_no_row_has_any_word_is_told(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("zebra: horse\nlion: cat\n")
    method = text.Augmentation(text.Options(synonyms=str(file), synonym=1.0), 0)
    said = (
        "augmentation.synonyms: no training row has any of the 2 words of the list (zebra, lion); no synonym is put in"
    )
    assert idle(prepared(), method) == said
    file.write_text("zebra: horse\none: single\n")
    assert idle(prepared(), text.Augmentation(text.Options(synonyms=str(file), synonym=1.0), 0)) == ""
    assert idle(pictures(), none.Augmentation(none.Options(), 0)) == ""


def test_nothing_to_show():
    assert preview(pictures(), none.Augmentation(none.Options(), 0), seed=0) == []
