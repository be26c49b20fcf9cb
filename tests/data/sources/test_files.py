"""Local files: what is read, and what is said of files that cannot be read."""

from __future__ import annotations

import json

import pyarrow
import pytest
from pyarrow import parquet

from tunebook.data.reading import storage
from tunebook.data.sources import files
from tunebook.data.sources.base import LoadContext
from tunebook.errors import DataError, DataFileMissing

GOOD = "text,label\nfine,1\nbad,0\n"
ROLES = {"text": "text", "label": "label"}


@pytest.fixture(autouse=True, params=["in memory", "on disk"])
def _kept(request, monkeypatch, tmp_path_factory):
    """Every test reads its files into memory, and once more into the cache."""
    monkeypatch.setattr(storage, "SMALL", 2**24 if request.param == "in memory" else -1)
    monkeypatch.setattr(files, "CHUNK", 5_000 if request.param == "in memory" else 1)
    monkeypatch.setenv("TUNEBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))


def load(folder, **options):
    context = LoadContext(roles=ROLES, required=("text", "label"), cwd=folder)
    return files.load(files.Options(**options), context)


def rows(folder, **options):
    return load(folder, **options)["train"].to_list()


def refusal(folder, **options) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", GOOD, [("fine", 1), ("bad", 0)]),
        ("a.tsv", "text\tlabel\nfine, really\t1\n", [("fine, really", 1)]),
        ("bom.csv", b"\xef\xbb\xbf" + GOOD.encode(), [("fine", 1), ("bad", 0)]),
        ("na.csv", "text,label\nNA,1\nnull,0\n,1\n", [("NA", 1), ("null", 0), (None, 1)]),
        ("quoted.csv", 'text,label\n"a, ""b""\nc",1\n"d, e",0\n', [('a, "b"\nc', 1), ("d, e", 0)]),
        ("cr.csv", GOOD.replace("\n", "\r"), [("fine", 1), ("bad", 0)]),
        ("mixed.csv", "text,label\r\nfine,1\nbad,0\rgood,1\r\n", [("fine", 1), ("bad", 0), ("good", 1)]),
        ("utf16.csv", GOOD.replace("fine", "fïne ☺").encode("utf-16"), [("fïne ☺", 1), ("bad", 0)]),
        ("utf32.csv", GOOD.encode("utf-32"), [("fine", 1), ("bad", 0)]),
        ("crlf.csv", GOOD.replace("\n", "\r\n"), [("fine", 1), ("bad", 0)]),
        ("blank.csv", "text,label\n\nfine,1\n\n", [("fine", 1)]),
        ("float.csv", "text,label\na,1.0\nb,2.0\n", [("a", 1.0), ("b", 2.0)]),
        ("missing.csv", "text,label\na,1\nb,NaN\nc,\n", [("a", 1), ("b", None), ("c", None)]),
        ("zeros.csv", "text,label\na,01\nb,02\n", [("a", "01"), ("b", "02")]),
        ("a.jsonl", '{"text": "x\u2028y", "label": 1}\n\n{"text": "z", "label": 0}\n', [("x\u2028y", 1), ("z", 0)]),
        ("sparse.jsonl", '{"text": "x"}\n{"label": 0, "text": "z"}\n', [("x", None), ("z", 0)]),
        ("late.jsonl", '{"text": "x"}\n{"text": "y"}\n{"text": "z", "label": 0}', [("x", None), ("y", None), ("z", 0)]),
        ("a.json", '[{"text": "x", "label": 1},\n {"text": "z", "label": 0}]', [("x", 1), ("z", 0)]),
    ],
)
def test_reads(tmp_path, write, name, content, expected):
    write(name, content)
    assert [(row["text"], row["label"]) for row in rows(tmp_path, train=name)] == expected


def test_literal_quotes_are_kept_with_quoting_none(tmp_path, write):
    write("q.tsv", '"open\t1\nsay "hi"\t0\n')
    found = rows(tmp_path, train="q.tsv", quoting="none", column_names=["text", "label"])
    assert found == [{"text": '"open', "label": 1}, {"text": 'say "hi"', "label": 0}]


def test_other_encoding_delimiter_and_format(tmp_path, write):
    write("a.txt", "text;label\ncafé;1\n".encode("latin-1"))
    found = rows(tmp_path, train="a.txt", format="csv", delimiter=";", encoding="latin-1")
    assert found == [{"text": "café", "label": 1}]


def test_globs_and_lists_are_joined_in_order(tmp_path, write):
    for name in ("b", "a"):
        write(f"part-{name}.csv", f"text,label\n{name},1\n")
    write("more.csv", "label,text\n0,c\n")
    found = rows(tmp_path, train=["part-*.csv", "more.csv"])
    assert [row["text"] for row in found] == ["a", "b", "c"]


def test_types_are_told_over_all_files_of_a_split(tmp_path, write):
    write("a.csv", "text,label\nx,1\n")
    write("b.csv", "text,label\ny,no\n")
    assert [row["label"] for row in rows(tmp_path, train=["a.csv", "b.csv"])] == ["1", "no"]


def test_parquet_with_categories(tmp_path):
    label = pyarrow.array(["no", "yes", "no"]).dictionary_encode()
    parquet.write_table(pyarrow.table({"text": ["a", "b", "c"], "label": label}), tmp_path / "a.parquet")
    assert [row["label"] for row in rows(tmp_path, train="a.parquet")] == ["no", "yes", "no"]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("empty.csv", "", ["empty.csv", "is empty"]),
        ("empty.parquet", "", ["empty.parquet", "is empty"]),
        ("head.csv", "text,label\n", ["has a header and no rows"]),
        ("ragged.csv", "text,label\na,1\nb,1,2\nc,1\nd\n", ["2 rows have", "the 2 columns", "line 3 (3), 5 (1)"]),
        (
            "latin.csv",
            b"text,label\nfine,1\ncaf\xe9,0\n",
            ["not utf-8", "0xe9 at offset 21, line 3", "encoding=cp1252"],
        ),
        ("bomlatin.csv", b"\xef\xbb\xbftext,label\ncaf\xe9,0\n", ["offset 17, line 2"]),
        ("twice.csv", "text,text,label\na,b,1\n", ["two columns of one name: 'text'"]),
        ("nameless.csv", "text,,label\na,b,1\n", ["column 2 of 3"]),
        ("nul.csv", "text,label\na,1\nb\0,0\n", ["line 3 has a NUL character"]),
        ("open.csv", 'text,label\na,1\n"b,0\nc,1\n', ["line 3", "dataset.quoting=none"]),
        (
            "broken.jsonl",
            '{"text": "a", "label": 1}\n{"text": "b"\n[1]\n',
            ["line 2 is not JSON", "line 3 is not an obj"],
        ),
        ("broken.json", '[{"text": "a"},\n {"text" "b"}]', ["line 2 is not JSON"]),
        ("none.json", "[]", ["is an empty array"]),
        ("mixed.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": "x"}\n', ["'label' mixes", "text (row 1)"]),
        ("deep.json", "[" * 200_000, ["nested too deep"]),
        ("half.jsonl", '{"text": "\\ud800", "label": 1}\n', ["column 'text' cannot be read"]),
        ("long.jsonl", '{"text": "a", "label": ' + "9" * 30 + "}\n", ["column 'label' cannot be read"]),
        ("cut.parquet", b"PAR1 and then nothing", ["cut.parquet", "not a whole Parquet file"]),
        ("twice.jsonl", '{"text": "a", "text": "b", "label": 1}', ["line 1 has the key 'text' twice"]),
        ("huge.jsonl", '{"text": "a", "label": ' + "9" * 5000 + "}", ["line 1 Exceeds the limit"]),
        ("keyless.jsonl", "{}\n{}\n", ["no keys in any of its 2 rows"]),
        ("a.xlsx", "x", ["ending '.xlsx'", ".parquet", "Save its sheet as CSV"]),
        ("a.dat", "x", ["ending '.dat'", ".parquet", "Say dataset.format=csv"]),
    ],
)
def test_refuses(tmp_path, write, name, content, parts):
    write(name, content)
    message = refusal(tmp_path, train=name, encoding="utf-8")
    for part in parts:
        assert part in message


def test_truncated_parquet(tmp_path):
    whole = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": ["a"] * 1000, "label": list(range(1000))}), whole)
    (tmp_path / "cut.parquet").write_bytes(whole.read_bytes()[:-200])
    assert "cut short or damaged" in refusal(tmp_path, train="cut.parquet")


def test_suggested_encoding_reads_the_file(tmp_path, write):
    write(
        "a.csv",
        "text,label\nLe café était très agréable, à côté de la forêt,1\n".replace("e, à", "e à").encode("latin-1"),
    )
    message = refusal(tmp_path, train="a.csv", encoding="utf-8")
    encoding = message.rsplit("dataset.encoding=", 1)[1].strip()
    assert rows(tmp_path, train="a.csv", encoding=encoding)


def test_unknown_encoding(tmp_path, write):
    write("a.csv", GOOD)
    assert "no encoding 'utf-9'" in refusal(tmp_path, train="a.csv", encoding="utf-9")


def test_problems_of_all_files_come_at_once(tmp_path, write):
    write("a.csv", "")
    write("b.csv", "text,label\na\n")
    message = refusal(tmp_path, train="a.csv", test="b.csv")
    assert message.startswith("2 problems in the dataset:")


def test_missing_files_come_at_once_with_the_nearest_name(tmp_path, write):
    write("train.csv", GOOD)
    with pytest.raises(DataFileMissing) as caught:
        load(tmp_path, train="trian.csv", validation="sub/dev.csv", test="*.tsv")
    first, second, third = caught.value.problems
    assert (first.key, "did you mean train.csv?" in first.message) == ("dataset.train", True)
    assert "there is no folder" in second.message
    assert "no file matches '*.tsv'" in third.message
    assert isinstance(caught.value, FileNotFoundError)


def test_a_folder_is_no_file(tmp_path):
    assert "is a folder; name its files" in refusal(tmp_path, train=".")


def test_files_of_one_split_must_agree(tmp_path, write):
    write("a.csv", GOOD)
    write("b.csv", "body,label\na,1\n")
    assert "b.csv   has the columns body, label; a.csv has text, label" in refusal(tmp_path, train=["a.csv", "b.csv"])
    write("c.jsonl", json.dumps({"text": "a", "label": 1}))
    assert "mixes csv and json" in refusal(tmp_path, train=["a.csv", "c.jsonl"])
    assert "named twice" in refusal(tmp_path, train=["a.csv", "*.csv"])


MERGED = 'text\tlabel\n"great film\t1\nso so\t0\nnot "that" bad\t1\nbad"\t0\n'


def test_quotation_marks_that_would_merge_rows(tmp_path, write):
    write("a.tsv", MERGED)
    message = refusal(tmp_path, train="a.tsv")
    assert "as frames round cells" not in message
    assert "line 2: '\\t' expected after '\"'; as text, quotation marks leave 5 lines of 2 cells" in message
    write("a.tsv", MERGED.replace(' "that"', ""))
    message = refusal(tmp_path, train="a.tsv")
    for part in ("has 1 rows (lines 2 to 5 are one of them)", "as text 4 rows", "quoting=none", "quoting=minimal"):
        assert part in message
    assert [row["label"] for row in rows(tmp_path, train="a.tsv", quoting="none")] == [1, 0, 1, 0]
    assert [row["label"] for row in rows(tmp_path, train="a.tsv", quoting="minimal")] == [0]


def test_one_stray_line_does_not_hide_merged_rows(tmp_path, write):
    """A file of literal quotation marks, one row of which has a tab too many: a rule of all rows would miss it."""
    plain = "".join(f"text {i}\t{i % 2}\n" for i in range(60))
    write("a.tsv", "text\tlabel\n" + plain + '"a\tb\tc\t1\n"great\t1\nbad"\t0\n')
    message = refusal(tmp_path, train="a.tsv")
    assert "has 62 rows" not in message
    assert "dataset.quoting=none" in message


def test_an_encoding_that_is_a_guess_is_told(tmp_path, write, caplog):
    write("a.csv", "text,label\nfine,1\ncafé crème,0\n".encode("latin-1"))
    with caplog.at_level("WARNING", logger="tunebook"):
        assert [row["text"] for row in rows(tmp_path, train="a.csv")] == ["fine", "café crème"]
    assert "a.csv: is not UTF-8 and is read as cp1252, which is a guess: 2 bytes are not ASCII" in caplog.text
    assert "the first on line 3 (… text,label" not in caplog.text
    assert "fine,1 café crème,0" in caplog.text
    caplog.clear()
    rows(tmp_path, train="a.csv", encoding="latin-1")
    write("b.csv", "text,label\ncafé,0\n")
    rows(tmp_path, train="b.csv")
    assert caplog.text == ""


def test_rows_in_a_field_of_one_object(tmp_path, write):
    entries = [{"text": "x", "label": 1}, {"text": "y", "label": 0}]
    write("a.json", json.dumps({"version": 2, "set": {"data": entries}, "rows": entries}, indent=1))
    assert rows(tmp_path, train="a.json", field="rows") == entries
    assert rows(tmp_path, train="a.json", field="set.data") == entries
    assert "seem to be its 'rows': say dataset.field=rows" in refusal(tmp_path, train="a.json")
    assert "has no 'row'; did you mean rows?" in refusal(tmp_path, train="a.json", field="row")
    assert "'version' of a.json is no array" in refusal(tmp_path, train="a.json", field="version")
    write("b.json", json.dumps({"data": entries}))
    assert "say dataset.field=data" in refusal(tmp_path, train="b.json")
    write("c.json", json.dumps({"text": ["x", "y"], "label": [1, 0]}, indent=1))
    assert "one object of columns (text, label)" in refusal(tmp_path, train="c.json")


def test_one_row_that_holds_a_list_is_a_row(tmp_path, write):
    row = {"text": "x", "label": 1, "entities": [{"start": 0}]}
    write("a.jsonl", json.dumps(row))
    assert rows(tmp_path, train="a.jsonl") == [row]


def test_settings_that_mean_nothing_are_refused(tmp_path, write):
    write("a.jsonl", '{"text": "x", "label": 1}')
    write("a.csv", GOOD)
    assert "dataset.delimiter   means nothing for json files" in refusal(tmp_path, train="a.jsonl", delimiter=";")
    said = refusal(tmp_path, train="a.jsonl", column_names=["text", "label"])
    assert "for json files; take it out, or set it to null, as in dataset.column_names=null" in said
    assert "dataset.field   means nothing for csv files" in refusal(tmp_path, train="a.csv", field="data")


def test_a_header_line_that_was_said_not_to_be_there(tmp_path, write):
    write("a.csv", "Text,Label\nfine,1\n")
    assert "has a header line; take them out" in refusal(tmp_path, train="a.csv", column_names=["text", "label"])


def test_tables_of_other_types_in_one_split(tmp_path):
    for name, labels in {"a": [1, 2], "b": ["x", "y"]}.items():
        parquet.write_table(pyarrow.table({"text": ["t", "u"], "label": labels}), tmp_path / f"{name}.parquet")
    assert "b.parquet   has columns of other types than a.parquet" in refusal(tmp_path, train="*.parquet")


def test_a_column_without_a_type_matters_only_where_it_is_needed(tmp_path):
    odd = pyarrow.array([(1, 2, 3)], pyarrow.month_day_nano_interval())
    parquet_table = pyarrow.table({"text": ["t"], "label": [1], "odd": odd})
    with pyarrow.OSFile(str(tmp_path / "x.arrow"), "wb"):
        pass
    context = LoadContext(roles=ROLES, required=("text", "label"), cwd=tmp_path)
    assert files._dataset(parquet_table, "a", context).to_list() == [{"text": "t", "label": 1}]
    needed = LoadContext(roles={"text": "odd", "label": "label"}, required=("text", "label"), cwd=tmp_path)
    with pytest.raises(DataError, match="a column that cannot be used"):
        files._dataset(parquet_table, "a", needed)


def test_text_in_parquet_that_is_no_text(tmp_path):
    raw = pyarrow.array([b"good", b"b\xffd"], pyarrow.binary())
    bad = pyarrow.Array.from_buffers(pyarrow.string(), 2, raw.buffers())
    parquet.write_table(pyarrow.table({"text": bad, "label": [0, 1]}), tmp_path / "a.parquet")
    assert "a.parquet   column 'text' holds what is no text" in refusal(tmp_path, train="a.parquet")


def test_names_that_no_file_can_have(tmp_path):
    assert "File name too long" in refusal(tmp_path, train="x" * 300 + ".csv")


def test_sst2_and_sms_by_their_own_quoting(real, tmp_path):
    train = str(real / "sst2/glue/train_full.tsv")
    context = LoadContext(roles={"text": "sentence", "label": "label"}, required=("text", "label"), cwd=tmp_path)
    with open(train, encoding="utf-8") as stream:
        lines = sum(bool(line.strip()) for line in stream) - 1
    assert len(files.load(files.Options(train=train, quoting="none"), context)["train"]) == lines
    sms = {"train": str(real / "sms_spam/SMSSpamCollection"), "format": "tsv", "column_names": ["label", "text"]}
    assert "dataset.quoting=none" in refusal(tmp_path, **sms)
