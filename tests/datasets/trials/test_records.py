"""Trial records: each format read alike, the latest version kept, bad input named, and texts cleaned with care."""

import bz2
import gzip
import json
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from bioft.datasets.trials.records import WITHHELD, Trial, read_trials, trial_text
from bioft.datasets.trials.sections import clean_text
from bioft.errors import BioftError


def study(number: int, date: str = "2024-05-01", **changes: str) -> dict:
    fields = {"title": f"Study {number}", "summary": "We test a drug.", "criteria": "Adults.", "sex": "ALL"} | changes
    return {
        "protocolSection": {
            "identificationModule": {"nctId": f"NCT{number:08d}", "briefTitle": fields["title"]},
            "statusModule": {"lastUpdatePostDateStruct": {"date": date}, "whyStopped": fields.get("stopped", "")},
            "descriptionModule": {"briefSummary": fields["summary"]},
            "eligibilityModule": {"eligibilityCriteria": fields["criteria"], "sex": fields["sex"]},
        }
    }


XML = """<?xml version="1.0" encoding="UTF-8"?>
<clinical_study>
  <id_info><nct_id>NCT00000001</nct_id></id_info>
  <brief_title>Study 1</brief_title>
  <brief_summary><textblock>
    We test
    a drug.
  </textblock></brief_summary>
  <why_stopped>No money.</why_stopped>
  <eligibility><criteria><textblock>Adults.</textblock></criteria><gender>Both</gender></eligibility>
  <last_update_posted type="Actual">May 1, 2024</last_update_posted>
</clinical_study>
"""


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_json_xml_and_zip_give_the_same_record(tmp_path: Path) -> None:
    record = study(1, stopped="No money.")
    written = {
        "single.json": json.dumps(record),
        "list.json": json.dumps([record], indent=2),
        "page.json": json.dumps({"studies": [record], "nextPageToken": "x"}),
        "lines.jsonl": json.dumps(record) + "\n",
        "old.xml": XML,
    }
    paths = [write(tmp_path / name, content) for name, content in written.items()]
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(json.dumps([record]).encode()))
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("sub/NCT00000001.json", json.dumps(record))
        stream.writestr("notes.txt", "not data")
    expected = Trial("NCT00000001", "Study 1", "We test a drug.", "", "Adults.", "ALL", "No money.", "2024-05-01")
    for path in [*paths, packed, archive]:
        (found,) = read_trials(path)
        source = "many.zip/sub/NCT00000001.json" if path == archive else path.name
        assert found == Trial(**{field: getattr(expected, field) for field in Trial.__slots__} | {"source": source})


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_csv_with_quoted_line_breaks_and_without_a_summary_column(tmp_path: Path, bom: str) -> None:
    path = write(
        tmp_path / "ctg.csv",
        f"{bom}NCT Number,Study Title,Brief Summary,Sex,Last Update Posted\r\n"
        'NCT00000001,"A, ""B""","line one\n\nline two",FEMALE,2024-05-01\r\n'
        "NCT00000002,Plain,,,\r\n",
    )
    first, second = read_trials(path)
    assert (first.title, first.brief_summary, first.sex) == ('A, "B"', "line one\n\nline two", "FEMALE")
    assert (second.sex, second.version, trial_text(second)) == ("", "", "Plain")
    older = write(
        tmp_path / "older.csv",
        "Rank,NCT Number,Title,Gender,Study Type\n1,NCT00000003,Old,Both,\n"
        '2,"NCT00000004","Given","Male","Expanded Access":Treatment IND/Protocol"\n',  # as the registry wrote it
    )
    third, fourth = read_trials(older)
    assert (third.title, third.brief_summary, third.sex) == ("Old", "", "ALL")
    assert (fourth.title, fourth.sex) == ("Given", "MALE")


def test_of_several_versions_the_latest_is_kept_and_of_equal_dates_the_longest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.json", json.dumps([study(1, "2024-05-01", title="new"), study(2, title="short")]))
    write(tmp_path / "b.json", json.dumps([study(1, "2019-01-01", title="old"), study(2, title="a longer one")]))
    counts: Counter[str] = Counter()
    trials = list(read_trials(tmp_path, counts=counts))
    assert [trial.title for trial in trials] == ["new", "a longer one"]
    assert counts == {"records": 4, "older versions": 2}
    assert "2 records are other versions" in caplog.text


def test_trials_that_a_base_model_has_seen_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([study(1), study(2)]))
    counts: Counter[str] = Counter()
    assert [trial.nct_id for trial in read_trials(path, exclude=["nct00000001 "], counts=counts)] == ["NCT00000002"]
    assert counts["excluded"] == 1
    with pytest.raises(BioftError, match="'NCT1' is no NCT id"):
        list(read_trials(path, exclude=["NCT1"]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", json.dumps([study(1), {"protocolSection": {}}]), r"a.json, record 2: '' is no NCT id"),
        ("a.json", json.dumps([study(1, sex="X")]), r"record 1: NCT00000001: unknown sex 'X'"),
        ("a.json", json.dumps([study(1, date="soon")]), r"record 1: NCT00000001: 'soon' is no date"),
        ("a.json", json.dumps({"error": "x"}), r"record 1: no trial record"),
        ("a.json", json.dumps([study(1), study(2)])[:-40], r"a.json is broken or cut off JSON"),
        ("a.json", "", r"a.json is empty"),
        ("a.json", "[]", r"holds no trial that can be read"),
        ("a.json", "<!DOCTYPE html><html></html>", r"a.json is a web page"),
        ("a.xml", XML[:-30], r"a.xml is not well-formed XML"),
        ("a.csv", "id,text\n1,2\n", r"no export of ClinicalTrials.gov.*found: id, text"),
        ("a.csv", "NCT Number,Study Title\nNCT00000001\n", r"line 2: 1 fields where the header names 2"),
        ("a.csv", 'NCT Number,Study Title\nNCT00000001,"open\n', r"a.csv is not a CSV file"),
    ],
)
def test_bad_input_names_file_and_record(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(BioftError, match=f"(?s){message}"):
        list(read_trials(write(tmp_path / name, content)))


def test_broken_files_can_be_skipped_and_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.json", json.dumps([study(1), study(2, sex="X"), study(3)]))
    write(tmp_path / "b.json", json.dumps([study(4), study(5)])[:-40])
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(json.dumps([study(6)]).encode())[:-12])
    (tmp_path / "d.csv").write_bytes(b"NCT Number,Study Title\nNCT00000007,caf\xe9\n")
    counts: Counter[str] = Counter()
    trials = list(read_trials(tmp_path, skip_bad=True, counts=counts))
    assert [int(trial.nct_id[3:]) for trial in trials] == [1, 3, 4]
    assert counts["bad"] == 4
    for name in ("c.json.gz", "d.csv"):
        with pytest.raises(BioftError, match=f"{name}.*(truncated|UTF-8)"):
            list(read_trials(tmp_path / name))


def test_places_without_trials(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BioftError, match="does not exist"):
        list(read_trials(tmp_path / "nothing"))
    with pytest.raises(BioftError, match="holds no file of trials"):
        list(read_trials(tmp_path / "empty"))


@given(st.lists(st.tuples(st.integers(1, 10**7), st.text(max_size=30)), min_size=1, max_size=8), st.integers(1, 40))
def test_json_is_decoded_the_same_whatever_the_size_of_what_is_read(
    records: list[tuple[int, str]], chunk: int
) -> None:
    import io

    from bioft.datasets.trials import records as trials

    values = [study(number, summary=text) for number, text in records]
    content = json.dumps(values, ensure_ascii=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "_CHUNK", chunk)
        found = list(trials._studies(content[:chunk], io.StringIO(content[chunk:]), "x.json"))
    assert found == values


def test_text_is_cleaned_and_nothing_that_the_authors_wrote_is_lost() -> None:
    assert clean_text("<p>Age \\&gt; 18<br/>and <b>HbA1c</b> &lt; 7.5&nbsp;% [range]</p>") == (
        "Age > 18\nand HbA1c < 7.5 % [range]"
    )
    assert clean_text("10<sup>9</sup>/L, CO<sub>2</sub>") == "10^9/L, CO2"
    kept = "PSA <4 or </= 50, <yes or no>, a <b and c> d, <18 years; 50% (n=3) ≥ 2 µg"
    assert clean_text(kept) == kept
    assert clean_text("1\\. \\[68Ga\\] x \\>= 2\\^3 \\~5") == "1. [68Ga] x >= 2^3 ~5"
    assert clean_text("a\x00b\u00adc \t d\r\n\r\n\r\n\r\ne") == "abc d\n\ne"
    assert clean_text('<a href="x.html" title=y>link</a><script>bad()</script><!-- no -->') == "link"


def test_symbols_go_only_when_asked() -> None:
    text = "HbA1c < 7.5 % [range] (n=3)"
    assert clean_text(text) == text
    assert clean_text(text, strip_symbols=True) == "HbA1c < 7.5 range n=3"


@given(st.text(st.characters(exclude_characters="<&\\", exclude_categories=("Cc", "Cf", "Cs"))))
def test_text_without_markup_keeps_every_character(text: str) -> None:
    import unicodedata

    assert clean_text(text).split() == unicodedata.normalize("NFC", text).split()


def test_text_of_a_trial_has_each_part_once_and_none_for_a_withheld_one() -> None:
    trial = Trial("NCT00000001", "Title", "The summary.", "The summary.", "Adults &gt; 18")
    assert trial_text(trial) == "Title\n\nThe summary.\n\nAdults > 18"
    assert trial_text(Trial("NCT00000001", WITHHELD)) == ""
    assert trial_text(Trial("NCT00000001")) == ""


def test_the_real_downloads_hold_what_their_description_says(shared_data: Path) -> None:
    counts: Counter[str] = Counter()
    trials = list(read_trials(shared_data / "clinical_trials", counts=counts))
    assert Counter(trial.sex for trial in trials) == {"ALL": 1511, "MALE": 644, "FEMALE": 154, "": 3}
    assert sum(bool(trial.brief_summary) for trial in trials) == 2309
    assert sum(bool(trial.eligibility) for trial in trials) == 863
    assert counts["bad"] == 0
    assert sum(not trial_text(trial) for trial in trials) == 3


def test_a_long_field_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "long.csv", f'NCT Number,Study Title\nNCT00000001,"{"x" * 200_000}"\n')
    assert len(next(iter(read_trials(path))).title) == 200_000


@pytest.mark.parametrize("change", [lambda text: text.replace(",", ";"), lambda text: text.replace("\n", "\r")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_make_of_an_export_is_read(
    tmp_path: Path, change: Callable[[str], str], encoding: str
) -> None:
    content = change("NCT Number,Study Title\nNCT00000001,One\nNCT00000002,Two\n,\n")
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode(encoding))
    assert [trial.title for trial in read_trials(path)] == ["One", "Two"]


def test_encodings_that_xml_says_and_lines_and_times_of_spreadsheets(tmp_path: Path) -> None:
    ids = "<id_info><nct_id>NCT00000001</nct_id></id_info><brief_title>Café</brief_title>"
    xml = f'<?xml version="1.0" encoding="ISO-8859-1"?><clinical_study>{ids}</clinical_study>'
    (tmp_path / "x.xml").write_bytes(xml.encode("latin-1"))
    assert [trial.title for trial in read_trials(tmp_path / "x.xml")] == ["Café"]
    table = "sep=;\nNCT\u00a0Number;Study Title;Last Update Posted\nNCT00000001;One;2024-01-02 00:00:00\n"
    (trial,) = read_trials(write(tmp_path / "x.csv", table))
    assert (trial.title, trial.version) == ("One", "2024-01-02")


def test_packed_members_of_a_zip_file_are_read(tmp_path: Path) -> None:
    record = '{"protocolSection": {"identificationModule": {"nctId": "NCT00000001", "briefTitle": "One"}}}'
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.json.gz", gzip.compress(record.encode()))
        archive.writestr("b.json", record.replace("0001", "0002"))
    assert [trial.nct_id for trial in read_trials(tmp_path / "x.zip")] == ["NCT00000001", "NCT00000002"]


@pytest.mark.parametrize(("flags", "method", "problem"), [(1, 0, "is encrypted"), (0, 97, "can't be unpacked")])
def test_members_that_can_not_be_unpacked_are_named(tmp_path: Path, flags: int, method: int, problem: str) -> None:
    """The bytes of a zip file's headers say encryption and the method of compression."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.json", "{}")
    content = bytearray((tmp_path / "x.zip").read_bytes())
    for start, place in ((content.index(b"PK\1\2"), 8), (content.index(b"PK\3\4"), 6)):
        content[start + place], content[start + place + 2] = flags, method
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(BioftError, match=f"x.zip/a.json {problem}"):
        list(read_trials(path))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"a":' + "[" * 20_000, "nested too deeply"),
        ('{"a":' * 20_000, "nested too deeply"),
        ("<html>", "is a web page"),
        (bz2.compress(b"[]"), "x.json is packed by bzip2"),
        (gzip.compress(b"a.json".ljust(257, b"\0") + b"ustar" + bytes(250), mtime=0), "x.json is a tar archive"),
        ("version https://git-lfs.github.com/spec/v1\n", "x.json is a pointer of Git LFS"),
        ('{"FullStudiesResponse": {"FullStudies": []}}', "is of version 1 of the API"),
    ],
)
def test_what_no_reader_survives_is_one_message(tmp_path: Path, content: str | bytes, problem: str) -> None:
    (path := tmp_path / "x.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BioftError, match=problem):
        list(read_trials(path))


def test_files_whose_names_are_none_of_trials_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = '{"protocolSection": {"identificationModule": {"nctId": "NCT00000001", "briefTitle": "One"}}}'
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("a.json", "b.json.bz2", "__MACOSX/._a.json", "download.source.json"):
            archive.writestr(name, record)
    assert len(list(read_trials(tmp_path))) == 1
    assert [each.getMessage() for each in caplog.records] == [
        f"{tmp_path / 'x.zip'}: not read, by their names: b.json.bz2."
    ]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(BioftError, match=r"x\.zip is an Excel workbook"):
        list(read_trials(tmp_path))


def test_half_characters_are_replaced(tmp_path: Path) -> None:
    title = "A \\ud83d \\ud83d\\ude00"
    content = f'{{"protocolSection": {{"identificationModule": {{"nctId": "NCT00000001", "briefTitle": "{title}"}}}}}}'
    (trial,) = read_trials(write(tmp_path / "x.json", content))
    assert trial.title == "A \ufffd \U0001f600"
