import gzip

import pytest

from rnnbench import DataError
from rnnbench_tasks.conllu import Sentence, read_sentences

REST = "_\t0\troot\t_\t_"


def row(number, form, upos="NOUN", xpos="NN"):
    return f"{number}\t{form}\t_\t{upos}\t{xpos}\t{REST}\n"


DOG = "# sent_id = 1\n" + row(1, "the", "DET", "DT") + row(2, "dog") + "\n"


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "file.conllu"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_sentence_is_its_words_and_the_tags_of_a_column(write):
    path = write(DOG + row(1, "run", "VERB", "VB"))
    assert read_sentences(path, "UPOS") == [
        Sentence(("the", "dog"), ("DET", "NOUN")),
        Sentence(("run",), ("VERB",)),
    ]
    assert [tags for _, tags in read_sentences(path, "XPOS")] == [("DT", "NN"), ("VB",)]


def test_ranges_and_empty_nodes_are_no_words(write):
    path = write(
        row("1-2", "don't", "_", "_")
        + row(1, "do", "AUX")
        + row("1.1", "it", "PRON")
        + row(2, "n't", "PART")
    )
    assert read_sentences(path, "UPOS") == [Sentence(("do", "n't"), ("AUX", "PART"))]


def test_line_ends_marks_and_compression_do_not_matter(write):
    expected = [Sentence(("the", "dog"), ("DET", "NOUN"))]
    for content in (
        b"\xef\xbb\xbf" + DOG.encode(),
        DOG.replace("\n", "\r\n").encode(),
        ("\n\n" + DOG + "\n \n").encode(),
        DOG.rstrip("\n").encode(),
        gzip.compress(DOG.encode(), mtime=0),
    ):
        assert read_sentences(write(content), "UPOS") == expected


def test_two_columns_are_words_and_tags(write):
    path = write("the\tDET\ndog\tNOUN\n\n#\tSYM\n#monday\tNOUN\n1\tNUM\n")
    assert read_sentences(path, "UPOS") == [
        Sentence(("the", "dog"), ("DET", "NOUN")),
        Sentence(("#", "#monday", "1"), ("SYM", "NOUN", "NUM")),
    ]


def test_comments_alone_are_no_sentence(write):
    path = write("# newdoc\n\n" + DOG + "# end of file\n")
    assert read_sentences(path, "UPOS") == read_sentences(write(DOG), "UPOS")


def test_a_tag_of_no_features_is_a_tag(write):
    assert read_sentences(write(DOG), "FEATS") == [Sentence(("the", "dog"), ("_", "_"))]


BAD = {
    "nine columns": (
        DOG + row(1, "a").replace("\t_\n", "\n"),
        r":5: 9 columns; expected the 10 of CoNLL-U",
    ),
    "spaces for tabs": (DOG.replace("\t", " "), r":2: 1 column; expected the 10"),
    "three columns": ("the\tDET\tx\n", r":1: 3 columns; expected the 10 .* or a file of 2"),
    "a column too many": ("the\tDET\ndog\tN\tx\n", r":2: 3 columns; expected a word, a tab"),
    "cut within a line": (DOG + "1\tdo", r":5: 2 columns; expected the 10"),
    "comments and nothing else": ("# text = \n# more\n\n# end\n", r": comments and no sentence"),
    "ranges alone": (DOG + row("1-2", "don't"), r":5: a sentence without words"),
    "no blank line": (
        DOG.rstrip("\n") + "\n" + row(1, "a"),
        r":4: the word's ID is `1`; expected 3",
    ),
    "a lost word": (row(1, "a") + row(3, "b"), r":2: the word's ID is `3`; expected 2"),
    "an odd ID": (row("x", "a"), r":1: the word's ID is `x`; expected 1"),
    "no word": (row(1, ""), r":1: the FORM is empty"),
    "no tag": (row(1, "a", ""), r":1: the UPOS is empty"),
    "an unknown tag": (row(1, "a", "_"), r":1: no UPOS for `a`, only `_`; choose another `column`"),
    "no second tag": ("the\tDET\ndog\t\n", r":2: the UPOS is empty"),
    "empty": ("", "the file is empty"),
    "blank": ("\n \n", "the file is empty"),
    "cut off": (gzip.compress(DOG.encode())[:-9], "the gzip file is damaged or cut off"),
    "another encoding": (
        DOG.replace("dog", "chän").encode("latin-1"),
        r":3: byte 0xe4 is not utf-8",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_file_is_said_in_a_line(write, name):
    content, message = BAD[name]
    path = write(content)
    with pytest.raises(DataError, match=message) as raised:
        read_sentences(path, "UPOS")
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_another_encoding_can_be_named(write):
    path = write("Hündin\tNOUN\n".encode("latin-1"))
    assert read_sentences(path, "UPOS", "latin-1") == [Sentence(("Hündin",), ("NOUN",))]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.conllu: cannot be read"):
        read_sentences(tmp_path / "nowhere.conllu", "UPOS")


def test_a_sentence_of_50_000_words_is_read(write):
    path = write("".join(f"w{number}\tX\n" for number in range(50_000)))
    assert [len(words) for words, _ in read_sentences(path, "UPOS")] == [50_000]
