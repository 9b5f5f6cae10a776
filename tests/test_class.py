"""What a class has handed in, and the school's list of it: everybody has a row, nothing is run.

Nothing is graded here, so no framework is needed: the grades are made up.
"""

import collections
import csv
import io
import os
import re
import stat
import struct
import zipfile
from pathlib import PurePosixPath

from knock import frameworks
from knock.check.parts import Part
from knock.errors import UserError
from knock.grade import (
    each,
    handed_in,
    names,
    plain_text,
    points,
    reader,
    report,
    roster,
    schedule,
    submissions,
)
from knock.grade.grading import Grade
from knock.grade.submissions import Submission
from knock.grade.table import table
from knock.questions import find

import msgspec
import pytest

WORTH = points.load()
PARTS = list(find("gan").parts)
TEXT = "raise SystemExit('nobody runs this')\n"
ASK = "; ask for a file that ends in .py or .ipynb"


def zipped(files, **more):
    """The bytes of a zip file; a dict within is a zip file of its own."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, zipped(content) if isinstance(content, dict) else content)
    return made.getvalue()


def handed(place, question=None, framework=None):
    """Each student with the files and what is wrong, and the lines for the teacher."""
    question = question and find(question)
    found, said = submissions.find(place, question, framework)
    return {(one.student, one.file): one.problem or one.question for one in found}, said


@pytest.fixture
def archive(tmp_path):
    """A class's zip file."""

    def write(files):
        path = tmp_path / "class.zip"
        path.write_bytes(files if isinstance(files, bytes) else zipped(files))
        return path

    return write


# Names


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("Anna Kato_1234567_assignsubmission_file_", ("Anna Kato", "1234567", "", False)),
        ("Anna Kato_1234567_assignsubmission_file_gan", ("Anna Kato", "1234567", "gan", False)),
        ("Jo_van_Dam_12_assignsubmission_onlinetext_", ("Jo_van_Dam", "12", "", False)),
        ("oneilben_12346_98765_gan_keras-1", ("oneilben", "12346", "gan_keras-1", False)),
        ("oneilben_LATE_12346_98765_gan_keras", ("oneilben", "12346", "gan_keras", True)),
        ("benoneil_LATE_12346_gan", ("benoneil", "12346", "gan", True)),
        ("kato_2_gan_keras", ("", "", "kato_2_gan_keras", False)),
        ("kato", ("", "", "kato", False)),
    ],
)
def test_a_platforms_marks_are_no_part_of_a_name(name, owner):
    assert names.owner(name) == owner


def test_two_of_one_name_are_two_students(archive):
    files = {f"kimjun_{number}_777_gan_keras.py": TEXT for number in (1001, 1002)}
    assert set(handed(archive(files))[0]) == {
        (f"kimjun ({number})", f"kimjun_{number}_777_gan_keras.py") for number in (1001, 1002)
    }


# Everybody has a row


def test_who_has_nothing_that_can_be_graded_has_one_row_with_the_reason(tmp_path):
    for name in (
        *("anna/gan_keras.py", "anna/helpers.py", "bert/essay.pdf", "carl/homework.py"),
        *("dora/a.py", "dora/b.py", "emil_777_888_essay.pdf", "fay.py", "readme.txt"),
        "Gil_7_assignsubmission_file_/gan_keras.py",
        "Gil_7_assignsubmission_onlinetext_/onlinetext.html",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    found, said = handed(tmp_path)
    assert found == {
        ("anna", "anna/gan_keras.py"): "gan",
        ("bert", "bert"): f"no script or notebook, but essay.pdf{ASK}",
        ("carl", "carl/homework.py"): "no question in its name; add --question",
        ("dora", "dora"): "no question in the names (a.py, b.py); add --question",
        ("emil", "emil_777_888_essay"): f"no script or notebook, but emil_777_888_essay.pdf{ASK}",
        ("fay", "fay.py"): "no question in its name; add --question",
        ("Gil", "Gil_7_assignsubmission_file_/gan_keras.py"): "gan",
    }
    assert said == [
        "anna/helpers.py: no question in its name; add --question",
        "readme.txt: neither a folder nor a script, a notebook or a zip file, so not graded",
        "Gil_7_assignsubmission_onlinetext_: nothing to grade in it, but elsewhere of the same "
        "student",
    ]
    found, _ = handed(tmp_path, "gan")
    assert found["carl", "carl/homework.py"] == "no framework in its name; add --framework"


ODD = {
    "anna_gan_keras.py.txt": "rename to anna_gan_keras.py",
    "bert_gan_keras.ipynb.json": "rename to bert_gan_keras.ipynb",
    "carl_gan_keras.py (1)": "rename to carl_gan_keras.py",
    "dora_GAN_Keras.PY.bak": "rename to dora_GAN_Keras.PY",
    "emil_gan_keras.docx": "rename to emil_gan_keras.py",
    "fay.tar.gz": "unpack it, or make it a zip file",
    "gil.rar": "unpack it",
    "hal.zip": "it is no zip file, or damaged",
    "ida/gan_keras.txt": "rename to gan_keras.py",
    "jo/.gan_keras.py": "rename to gan_keras.py",
    "kim/__gan_keras.py": "rename to gan_keras.py",
    "list.csv": "neither a folder nor a script",
    "essay.docx": "neither a folder nor a script",
    "no ending": "neither a folder nor a script",
    ".lea_gan_keras.py": "the name begins with .",
    "__mo_gan_keras.py": "the name begins with .",
    ".nia/gan_keras.py": "the name begins with .",
    "\udcff_gan_keras.py.txt": "rename to",
    "olaf/a/b/gan_keras.PY.TXT": "rename to gan_keras.PY",
    "pia_gan_keras.py~": "rename to pia_gan_keras.py",
    "RIA_GAN_KERAS.PY": "gan",
    "sid/gan_keras.py": "gan",
    "sid/ae_keras.py.txt": "rename to ae_keras.py",
}
"""What may be in a class's folder, and what is said of it."""


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_whatever_is_in_a_classs_folder_has_a_row_or_is_named_in_a_line(archive, tmp_path, packed):
    place, odd = tmp_path / "class", dict(ODD)
    if packed or os.name != "posix":
        del odd["\udcff_gan_keras.py.txt"]
    if packed:
        place = archive({**dict.fromkeys(odd, TEXT), "ursa/": ""})
    for name in [] if packed else odd:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(TEXT, encoding="utf-8")
    if not packed:
        (place / "ursa").mkdir()
    if not packed and os.name == "posix":
        (tmp_path / "elsewhere").mkdir()
        for name, where in (("tom", "elsewhere"), ("uma.zip", "x"), ("vic_gan_keras.py", "x")):
            (place / name).symlink_to(tmp_path / where)
            odd[name] = "it is a link, so it was not read; put there"
        os.mkfifo(place / "wim_gan_keras.py")
        os.mkfifo(place / "pipe")
        odd |= {"wim_gan_keras.py": "put the file there", "pipe": "neither a folder nor a script"}
    odd["ursa"] = "no script or notebook; ask for a file"
    found, lines = handed(place)
    told = [*lines, *(f"{who} {file}: {why}" for (who, file), why in found.items())]
    for name, said in odd.items():
        top = plain_text.plain(name.partition("/")[0])
        stem = PurePosixPath(handed_in.meant(top) or top).stem
        assert [one for one in told if (top in one or stem in one) and said in one], (name, told)


def test_what_would_flood_a_teachers_terminal_is_counted(archive):
    files = {f"../{number}.py": TEXT for number in range(50)}
    found, lines = handed(archive({"anna.zip": {**files, "gan_keras.py": TEXT}}))
    assert list(found.values()) == ["gan"]
    assert [line.rpartition(": ")[2] for line in lines] == [
        *["its path leads out of the zip file"] * 3,
        "and 47 more of this kind",
    ]


def test_an_option_that_contradicts_names_is_said_in_one_line_and_in_each_row(tmp_path):
    for number in range(5):
        (tmp_path / f"s{number}_ae_keras.py").write_text(TEXT, encoding="utf-8")
    (tmp_path / "gan_keras.py").write_text(TEXT, encoding="utf-8")
    found, said = submissions.find(tmp_path, find("gan"), "keras")
    assert {one.question for one in found} == {"gan"}
    assert [one.note for one in found] == ["", *["its name says ae, but --question gan"] * 5]
    assert said == [
        "--question gan, but another question in the name of s0_ae_keras.py, s1_ae_keras.py, "
        "s2_ae_keras.py and 2 more"
    ]


def test_a_strange_file_costs_only_its_own_row(monkeypatch):
    def broken(path, data):
        raise ZeroDivisionError("whatever a library does")

    monkeypatch.setattr(reader, "_text", broken)
    told = reader.answer(reader.Asked("gan_keras.py", b"x"))
    assert told.problem.startswith("it cannot be read: ZeroDivisionError: whatever")


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_nobody_holds_up_a_class_with_many_files(archive, tmp_path, monkeypatch, packed):
    monkeypatch.setattr(handed_in, "_MOST_READ", 20)
    names = [f"gan_keras_{number}.py" for number in range(15)]
    names += [f"ae_{framework}.py" for framework in ("chainer", "keras", "pytorch", "tensorflow")]
    names += [f"helper_{number}.py" for number in range(50)]
    place = tmp_path / "class"
    for student, more in (("anna", 0), ("bert", 30)):
        mine = dict.fromkeys([*names, *(f"wgan_keras_{number}.py" for number in range(more))], TEXT)
        (place / student).mkdir(parents=True)
        if packed:
            (place / student / "all.zip").write_bytes(zipped(mine))
        for name, text in {} if packed else mine.items():
            (place / student / name).write_text(text, encoding="utf-8")
    found, lines = handed(place)
    graded = collections.Counter((who, question) for (who, _), question in found.items())
    both = {
        (who, question): n for who in ("anna", "bert") for question, n in (("gan", 5), ("ae", 4))
    }
    assert graded == {**both, ("bert", "wgan"): 1}
    assert "anna: 15 files for gan in keras, of which 5 are graded" in lines
    assert "bert: more than 20 files to grade; the rest was not read" in lines
    assert len(lines) <= 12


def test_a_name_as_long_as_a_book_is_cut(archive):
    found, _ = handed(archive({f"{'n' * 40_000}/{'x' * 5_000}_gan_keras.py": TEXT, "b/a.pdf": ""}))
    assert max(len(part) for names in found for part in names) == 256


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_that_is_called_a_zip_file_holds_up_nobody(tmp_path):
    os.mkfifo(tmp_path / "anna.zip")
    (tmp_path / "bert").mkdir()
    os.mkfifo(tmp_path / "bert" / "work.zip")
    (tmp_path / "c_gan_keras.py").write_text(TEXT, encoding="utf-8")
    found, _ = handed(tmp_path)
    pipe = "it is no file but a pipe or the like; put the file there"
    assert found["anna", "anna"] == f"anna.zip: {pipe}"
    assert found["bert", "bert"] == f"work.zip: {pipe}"


def test_a_framework_that_is_not_there_costs_only_its_rows(graded, tmp_path, monkeypatch):
    monkeypatch.setattr(
        frameworks.Framework, "missing", property(lambda self: ("it",) * (self.name == "pytorch"))
    )
    code, out, _ = graded("grade", "class.zip", "--out", "g.csv")
    assert code == 0
    assert "    not read dora: PyTorch needs it, not installed here" in out
    rows = cells((tmp_path / "g.csv").read_text(encoding="utf-8"))
    assert [bool(row["points"]) for row in rows if row["student"] == "dora"] == [False, True]


# Zip files


CLASS = {
    "Anna_1_assignsubmission_file_/work.zip": {
        "gan/gan_keras.py": TEXT,
        "__MACOSX/gan/._gan_keras.py": "junk",
        "gan/.DS_Store": "junk",
        "gan/picture.png": "x",
    },
    "Bert_2_assignsubmission_file_/gan_keras.py": TEXT,
    "carl_LATE_3001_4001_gan_keras.py": TEXT,
    "dora.zip": {"ae_pytorch.py": TEXT, "more.zip": {"gan_keras.py": TEXT}},
}
WORK = "Anna_1_assignsubmission_file_/work.zip/gan/gan_keras.py"


def test_a_zip_file_is_a_folder_and_so_are_those_inside(archive, tmp_path):
    found, said = handed(archive(CLASS))
    assert found == {
        ("Anna", WORK): "gan",
        ("Bert", "Bert_2_assignsubmission_file_/gan_keras.py"): "gan",
        ("carl", "carl_LATE_3001_4001_gan_keras.py"): "gan",
        ("dora", "dora.zip/ae_pytorch.py"): "ae",
        ("dora", "dora.zip/more.zip/gan_keras.py"): "gan",
    }
    assert said == []
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(tmp_path / "class.zip") as whole:
        whole.extractall(folder)
    assert handed(folder)[0] == found


@pytest.mark.parametrize(
    ("files", "students"),
    [
        ({"class/anna/gan_keras.py": TEXT, "class/bert/gan_keras.py": TEXT}, {"anna", "bert"}),
        ({"class/anna_gan_keras.py": TEXT}, {"anna"}),
        ({"x/anna.zip": {"gan_keras.py": TEXT}, "x/b.zip": {"gan_keras.py": TEXT}}, {"anna", "b"}),
        ({"anna/gan_keras.py": TEXT, "anna/ae_keras.py": TEXT}, {"anna"}),
        ({"anna/gan_keras.py": TEXT, "b_gan_keras.py": TEXT}, {"anna", "b"}),
    ],
)
def test_a_folder_around_a_whole_class_is_nobodys(archive, files, students):
    assert {student for student, _ in handed(archive(files))[0]} == students


def test_no_path_of_a_zip_file_leaves_it(archive, tmp_path):
    before = sorted(os.walk(tmp_path.parent))
    files = {"anna.zip": {}, "bert/gan_keras.py": TEXT}
    for name in ("../out_keras.py", "/gan_keras.py", "C:/gan_keras.py", "a\\..\\..\\gan_keras.py"):
        files["anna.zip"][name] = TEXT
    files["../../gan_keras.py"] = TEXT
    path = archive(files)
    found, _ = handed(path)
    assert found["anna", "anna"].count("its path leads out of the zip file") == 3
    assert found["anna", "anna"].endswith("; and 1 more of this kind")
    assert found["../../gan_keras.py", "../../gan_keras.py"] == "its path leads out of the zip file"
    assert found["bert", "bert/gan_keras.py"] == "gan"
    path.unlink()
    assert sorted(os.walk(tmp_path.parent)) == before


def test_a_link_in_a_zip_file_is_not_followed(archive):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as whole:
        for name in ("gan_keras.py", "more.zip"):
            info = zipfile.ZipInfo(f"anna/{name}")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            whole.writestr(info, "/etc/passwd")
        whole.writestr("bert/gan_keras.py", TEXT)
    found, _ = handed(archive(made.getvalue()))
    assert found["anna", "anna/gan_keras.py"].startswith("it is a link, so it was not read")


def lying(data, name, says):
    """A zip file that says a wrong size of one of its files."""
    at = data.rfind(name.encode()) - 46
    assert data[at : at + 4] == b"PK\1\2"
    return data[: at + 24] + struct.pack("<I", says) + data[at + 28 :]


def broken(data):
    """A zip file with another byte in the first file's content."""
    at = 30 + int.from_bytes(data[26:28], "little") + 5
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


BOMB = zipped({"a.zip": zipped({"gan_keras.py": bytes(1 << 20)}), "b.zip": bytes(9 << 20)})


@pytest.mark.parametrize(
    ("bomb", "said"),
    [
        (BOMB, "b.zip: its zip files hold more than 4 MB"),
        (zipped({"gan_keras.py": bytes(1 << 20)}), "it is larger than 256 KB"),
        (lying(zipped({"gan_keras.py": bytes(1 << 20)}), "gan_keras.py", 9), ""),
        (zipped({f"{n}.txt": "" for n in range(60)}), "it holds more than 50 files"),
        (zipped({"1.zip": {"2.zip": {"3.zip": {"gan_keras.py": TEXT}}}}), "nested too deep"),
        (b"PK\3\4 no zip", "it is no zip file, or damaged"),
        (zipped({"gan_keras.py": TEXT})[:-30], "it is no zip file, or damaged"),
        (broken(zipped({"gan_keras.py": TEXT})), "it cannot be read from its zip file: "),
        (
            zipped({"gan_keras.py": TEXT})[:-22] + b"PK\5\6" + b"\xff" * 16 + b"\0\0",
            "it holds more than 50 files",
        ),
        (b"PK\6\7" + bytes(16) + zipped({})[-22:], "it is a zip64 file"),
    ],
)
def test_a_bomb_or_a_damaged_zip_file_costs_only_its_own_row(archive, monkeypatch, bomb, said):
    monkeypatch.setattr(handed_in, "_MOST", 50)
    monkeypatch.setattr(handed_in, "_MOST_BYTES", 4 << 20)
    monkeypatch.setattr(handed_in, "_TOO_MANY", "it holds more than 50 files")
    found, lines = handed(archive({"anna.zip": bomb, "bert/gan_keras.py": TEXT}))
    assert found["bert", "bert/gan_keras.py"] == "gan"
    told = "; ".join([*(why for (who, _), why in found.items() if who == "anna"), *lines])
    assert said in told and told != "gan"


def test_what_a_zip_file_says_of_a_size_is_not_believed():
    found = handed_in.Handed("anna")
    big = zipped({"gan_keras.py": bytes(1 << 20)})
    handed_in._Zipped(found, lambda path: True).unpack(
        io.BytesIO(lying(big, "gan_keras.py", 9)), PurePosixPath("anna"), depth=2
    )
    (file,) = found.files
    assert file.problem and len(file.data) == 0


def test_a_password_is_one_row(archive):
    data = bytearray(zipped({"gan_keras.py": TEXT}))
    for signature, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.find(signature) + place] |= 1
    found, _ = handed(archive({"anna.zip": bytes(data), "b_gan_keras.py": TEXT}))
    assert "password" in found["anna", "anna.zip/gan_keras.py"]


def test_a_name_in_utf8_without_the_flag_is_read(archive):
    name = "加藤_gan_keras.py"
    data = zipped({name: TEXT})
    for signature, place in ((b"PK\1\2", 9), (b"PK\3\4", 7)):
        at = data.find(signature) + place
        data = data[:at] + bytes([data[at] & ~8]) + data[at + 1 :]
    assert list(handed(archive(data))[0]) == [("加藤", name)]


# The school's list


def student(name, number=""):
    return Submission(name, "gan", "keras", f"{name}/gan_keras.py", TEXT, number=number)


def written(tmp_path, text, encoding="utf-8", name="roster.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


HEAD = "Nachname;Vorname;Nr;E-Mail"
LINES = f"{HEAD}\nMüller;Zoé;00123;zm@x.de\nKato;Anna;00124;ak@x.de\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_is_read_as_a_spreadsheet_writes_it(tmp_path, encoding, delimiter, end):
    text = LINES.replace(";", delimiter).replace("\n", end)
    read = roster.read(written(tmp_path, text, encoding))
    assert read.head == HEAD.split(";")
    assert read.rows == [line.split(";") for line in LINES.splitlines()[1:]]
    assert (read.delimiter, read.numbers) == (delimiter, [2, 3])


def test_hints_quotes_empty_lines_and_another_encoding_are_understood(tmp_path):
    text = 'sep=|\nname|of\n"Kato | Anna"|"a\nb"\n|\n\nBell|x\n'
    read = roster.read(written(tmp_path, text))
    assert (read.rows, read.numbers) == ([["Kato | Anna", "a\nb"], ["Bell", "x"]], [4, 7])
    japan = written(tmp_path, "名前,番号\n加藤,7\n", "cp932")
    assert roster.read(japan, "cp932").rows == [["加藤", "7"]]
    canvas = "Student,ID\n    Points Possible,\nBell,3\n"
    assert roster.read(written(tmp_path, canvas)).rows == [["Bell", "3"]]


CANVAS = 'Student,ID,SIS Login ID,Identifier\n"O\'Neil, Ben",12346,bo77,\nKato Anna,555123,,\n'


@pytest.mark.parametrize(
    ("text", "one", "line"),
    [
        (LINES, student("kato"), 1),
        (LINES, student("Kato Anna"), 1),
        (LINES, student("anna_kato"), 1),
        (LINES, student("ak@x.de"), 1),
        (LINES, student("ak"), 1),
        (LINES, student("00124"), 1),
        (LINES, student("Kato 00124"), 1),
        (LINES, student("Mu\u0308ller Zoe\u0301"), 0),
        (LINES, student("Nobody"), None),
        (CANVAS, student("oneilben", "12346"), 0),
        (CANVAS, student("renamed", "12346"), 0),
        (CANVAS, student("kato anna", "12346"), "two"),
        ("Name,Identifier\nKato,Participant 1234567\n", student("Other", "1234567"), 0),
        (LINES + "Kato;Ben;00125;\n", student("kato"), "two"),
        (LINES + "Kato;Ben;00125;\n", student("katoben"), 2),
        (LINES + "Kato;Anna;00126;\n", student("Kato Anna 00126"), 2),
    ],
)
def test_a_submission_is_of_one_line_or_none_and_never_of_one_of_two(tmp_path, text, one, line):
    read = roster.read(written(tmp_path, text))
    if line == "two":
        with pytest.raises(UserError, match=rf"{one.student} may be line \d or \d of .*rename"):
            read.match([one])
    else:
        read.match([one])
        assert read.lines == ({} if line is None else {one.student: line})


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (b"name\n", None, "has no students: its first line names the columns"),
        (b"", None, "has no students"),
        (b"a,b\n1,2,3\n", None, "line 2, has 3 cells, but the first line 2"),
        (b"PK\3\4xlsx", None, "is no table in CSV; save it as such in your spreadsheet"),
        (b"a,b\n\0\1\2,3\n", None, "is no table in CSV"),
        (b'a,b\n"1,2\n', None, "is no table in CSV: unexpected end of data"),
        (b"a\n\x81\n", None, "is not in cp1252; name its encoding with --roster-encoding"),
        (b"a\nb\n", "klingon", "no encoding 'klingon'"),
        (b"a\n\xff\n", "utf-8", "is not in utf-8"),
        (b"name\nkato\n", "hex", "no encoding 'hex'"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_line(tmp_path, data, encoding, said):
    path = tmp_path / "roster.csv"
    path.write_bytes(data)
    with pytest.raises(UserError, match=re.escape(said)):
        roster.read(path, encoding)


def test_a_list_whose_first_line_is_a_student_is_refused(tmp_path):
    read = roster.read(written(tmp_path, "Kato,1\nBell,2\n"))
    with pytest.raises(UserError, match="must name the columns, but it has 'kato'"):
        read.match([student("kato"), student("bell")])


# The table, and the pages


def grade(name, whole=True, question="gan", file="gan_keras.py", message="wrong", remark=""):
    parts = [Part(part, "done" if whole else "failed", message) for part in PARTS]
    return Grade(name, question, "keras", f"{name}/{file}", parts, whole, remark, 1.0)


def unread(name, why="no script or notebook"):
    return Grade(name, "", "", name, [], remark=why)


def cells(text, delimiter=","):
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=delimiter))


def test_what_was_not_read_has_a_row_without_points(tmp_path):
    first, second = cells(table([grade("anna"), unread("bert")], WORTH))
    assert float(first["points"]) == float(first["of"]) > 0
    assert {second[key] for key in (*PARTS, "whole", "points", "of", "question")} == {""}
    assert (second["student"], second["remarks"]) == ("bert", "no script or notebook")
    page = report.document([grade("anna"), unread("bert")], WORTH, session_settings())
    assert page.count("<th>not read</th>") == 2 and "bert: bert" in page


def session_settings():
    from knock.grade.conditions import Condition
    from knock.grade.grading import Settings

    return Settings(1, 1 << 20, [Condition()])


def test_the_table_keeps_the_schools_columns_and_names_who_is_missing(tmp_path):
    text = "points;Name;Telefon\n0;Kato;+49 1\n0;Bell;-\n0;Cho;=x\n0;Late;\n"
    read = roster.read(written(tmp_path, text, "cp1252"))
    read.match([student(name) for name in ("kato", "cho", "late", "eve")])
    worth = {**WORTH, "step": 0.5}
    grades = [grade("eve"), grade("kato"), grade("kato", False), unread("cho")]
    made = table(grades, worth, read)
    rows = cells(made, ";")
    assert list(rows[0])[:3] == ["points", "Name", "Telefon"]
    assert [row["Name"] for row in rows] == ["Kato", "Kato", "Bell", "Cho", "Late", ""]
    assert [row["Telefon"] for row in rows][:4] == ["+49 1", "+49 1", "-", "=x"]  # as they were
    assert (rows[0]["step"], rows[0]["points (knock)"]) == ("0,5", "7,5")
    assert [row["remarks"] for row in rows][2:] == [
        *("handed in nothing", "no script or notebook", "not graded yet"),
        f"not in {read.file}",
    ]
    page = report.document(grades, worth, session_settings(), read)
    nothing = page.partition("Handed in nothing")[2].partition("</section>")[0]
    assert "<td>Bell</td>" in nothing and "Cho" not in nothing and "Late" not in nothing


def test_an_error_of_syntax_counts_once_and_wherever_it_is():
    grades = []
    for number, name in enumerate(("anna", "bert")):
        remark = f"gan_keras.py does not run: SyntaxError: invalid syntax (line {number}: def (:)"
        grades.append(grade(name, False, message=remark, remark=remark))
    raised = "loss: your code raises KeyError: 'x' (line 7: batch['x']; batch has images)"
    grades.append(grade("carl", False, message=raised))
    page = report.document(grades, WORTH, session_settings())
    section = page.partition("What went wrong most often")[2].partition("</section>")[0]
    rows = re.findall(r"<tr><td>(\d)</td><th>(.*?)</th><td>(.*?)</td>", section)
    assert rows[0] == ("2", "gan, the file", "does not run: SyntaxError: invalid syntax")
    assert len(rows) == 1 + len(PARTS)
    assert rows[1][2] == "loss: your code raises KeyError: &#x27;x&#x27;"


def test_each_student_gets_a_page_that_says_nothing_of_the_others(tmp_path):
    grades = [
        grade("../../anna <b>"),
        grade("../../anna <b>", False, question="ae"),
        grade("Bert?"),
        grade("bert!"),
        grade("con"),
    ]
    made = each.pages(tmp_path / "pages", [one.student for one in grades])
    each.write(made, grades, WORTH)
    files = sorted(path.name for path in (tmp_path / "pages").iterdir())
    assert files == ["Bert.html", "anna_b.html", "bert-2.html", "con_.html"]
    text = (tmp_path / "pages" / "anna_b.html").read_text(encoding="utf-8")
    assert text.count("<details open>") == 2
    assert "anna &lt;b&gt;" in text and "<b>\n" not in text and "Bert" not in text
    assert not re.search(r'src=|href="[^#]|@import|url\(', text)
    each.write(each.pages(tmp_path / "pages", ["Bert?"]), [grade("Bert?", False)], WORTH)
    (tmp_path / "pages" / "Bert.html").write_text("<p>mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"Bert.html is no page of a grading; choose another"):
        each.pages(tmp_path / "pages", ["Bert?"])


# The command


@pytest.fixture
def graded(knock, monkeypatch, tmp_path):
    """Run `knock grade` on a class whose grades are made up."""

    def here(found, settings, jobs):
        for one in found:
            yield one, msgspec.structs.replace(grade(one.student), file=one.file, note=one.note)

    monkeypatch.setattr(schedule, "here", here)
    monkeypatch.setattr(frameworks.Framework, "missing", property(lambda self: ()))
    files = {**CLASS, "Eve_5_assignsubmission_file_/a.doc": ""}
    (tmp_path / "class.zip").write_bytes(zipped(files))
    return knock


def test_without_out_the_table_gets_a_free_name_and_nothing_is_graded_twice(graded, tmp_path):
    (tmp_path / "grades.csv").write_text("mine\n", encoding="utf-8")
    code, out, _ = graded("grade", "class.zip", "--question", "gan")
    assert code == 0
    assert f"    not read Eve: no script or notebook, but a.doc{ASK}\n" in out
    assert out.endswith("1 could not be read; the table says why\ngrades-2.csv: the points\n")
    code, out, _ = graded("grade", "class.zip", "--question", "gan")
    assert out.startswith("5 of 5 are graded already\n")
    assert "grades-3.csv: the points" in out
    assert (tmp_path / "grades.csv").read_text(encoding="utf-8") == "mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("class.zip", "grades-2.csv", "grades-3.csv", "grades.csv", "grades.jsonl")
    ]


def test_a_list_and_pages_come_with_the_table(graded, tmp_path):
    written(tmp_path, "Name,Mail\nAnna,a@x\nBell,b@x\nEve,e@x\n")
    code, out, err = graded(
        *("grade", "class.zip", "--question", "gan", "--roster", "roster.csv", "--each", "pages")
    )
    assert code == 0
    assert "1 of 3 in roster.csv handed in nothing\n" in out
    assert "pages: a page for each student" in out
    assert "knock: not in roster.csv: Bert, carl, dora\n" in err
    assert "--question gan, but another question in the name of dora.zip/ae_pytorch.py" in err
    rows = cells((tmp_path / "grades.csv").read_text(encoding="utf-8"))
    assert [row["Mail"] for row in rows] == ["a@x", "b@x", "e@x", "", "", "", ""]
    notes = {row["file"]: row["remarks"] for row in rows}
    assert "handed in late, says Canvas" in notes["carl_LATE_3001_4001_gan_keras.py"]
    assert len(list((tmp_path / "pages").iterdir())) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["text.zip"], "text.zip is neither a folder nor a zip file"),
        (["class.zip", "--roster", "none.csv"], "cannot read none.csv: No such file"),
        (["class.zip", "--roster", "text.zip"], "text.zip has no students"),
        (["class.zip", "--roster-encoding", "cp932"], "is that of a --roster, and there is none"),
        (["class.zip", "--roster", "two.csv"], "Anna may be line 2 or 3 of two.csv; rename"),
        (["class.zip", "--each", "text.zip"], "text.zip is a file; --each must name a folder"),
        (["class.zip", "--each", "mine"], "mine/Anna.html is no page of a grading"),
        (["class.zip", "--each", ""], "must not be empty"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(graded, tmp_path, words, said):
    (tmp_path / "text.zip").write_text("text\n", encoding="utf-8")
    (tmp_path / "two.csv").write_text("Name\nAnna\nAnna\n", encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "Anna.html").write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = graded("grade", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert sorted(tmp_path.rglob("*")) == before
