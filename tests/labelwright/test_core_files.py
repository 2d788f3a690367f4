"""Files of the core: label tables, JSON lines, checkpoints' task files, error lines."""

from __future__ import annotations

import gzip
import io
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from label_tables import write_labels

from labelwright.checkpoint import LABEL_SET_FILE, TASK_FILE, TaskInfo, load_task, save_task
from labelwright.cli import guarded, main
from labelwright.errors import CheckpointError, InputError, MissingExtraError, OutputError
from labelwright.io.delimited import unescape_id
from labelwright.io.jsonl import atomic_write, read_jsonl, write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction
from labelwright.tasks.certainty.answer import PROMPT_VERSION
from labelwright.tasks.certainty.table import decode, label_columns, read_labels

HEAD = LabelSet.load("head-ct-5")
ALL = dict.fromkeys(HEAD.names, Certainty.BLANK)


def test_columns_of_observations(chexpert: LabelSet) -> None:
    columns = [
        "id",
        "Pleural effusion",
        " edema ",
        "Airspace Opacity",
        "FRACTURE",
        "Fracture",
        "sex",
    ]
    assert label_columns(chexpert, columns) == {
        "Pleural Effusion": "Pleural effusion",
        "Edema": " edema ",
        "Lung Opacity": "Airspace Opacity",
        "Fracture": "Fracture",
    }
    assert label_columns(chexpert, ["id", "EDEMA", "edema"]) == {}  # which of them, nobody knows


@pytest.mark.parametrize(
    ("cell", "certainty"),
    [
        ("1.0", Certainty.POSITIVE),
        ("1", Certainty.POSITIVE),
        ("0.0", Certainty.NEGATIVE),
        ("-1", Certainty.UNCERTAIN),
        ("", Certainty.BLANK),
        (" nan ", Certainty.BLANK),
        (None, Certainty.BLANK),
        ("Uncertain", Certainty.UNCERTAIN),
    ],
)
def test_codes(cell: str | None, certainty: Certainty) -> None:
    assert decode(cell) is certainty


@pytest.mark.parametrize("cell", ["2", "yes", "0.5", "inf", "-"])
def test_unknown_codes(cell: str) -> None:
    with pytest.raises(ValueError, match="CheXpert"):
        decode(cell)


def test_label_table_round_trip_with_hostile_ids(tmp_path: Path) -> None:
    labels = ALL | {"Mass Effect": Certainty.UNCERTAIN, "Skull Fracture": Certainty.NEGATIVE}
    ids = ["1", "=cmd()", "-7", "a,b", 'q"q', "'plain"]
    buffer = io.StringIO()
    assert write_labels(buffer, HEAD, ((i, labels) for i in ids), id_column="study_id") == 6
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(gzip.compress(buffer.getvalue().encode()))
    rows = list(read_labels(path, HEAD, id_columns=["study_id"]))
    assert [identifier for _, identifier, _ in rows] == ids
    assert all(read == labels for _, _, read in rows)
    assert "'=cmd()" in buffer.getvalue()
    assert unescape_id("'plain") == "'plain"


def test_columns_are_joined_by_name_and_blank_stays_blank(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    header = ["subject", "study", *reversed(HEAD.names)]
    path.write_text(",".join(header) + "\n10,7,0.0,,,-1.0,1.0\n")
    [(row, identifier, labels)] = read_labels(path, HEAD, id_columns=["subject", "study"])
    assert (row, identifier) == (1, "10/7")
    assert labels == {
        "Intracranial Hemorrhage": Certainty.POSITIVE,
        "Acute Infarct": Certainty.UNCERTAIN,
        "Mass Effect": Certainty.BLANK,
        "Skull Fracture": Certainty.BLANK,
        "Hydrocephalus": Certainty.NEGATIVE,
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,Mass Effect\n1,1\n", "no column Intracranial Hemorrhage"),
        ("", "the table is empty"),
        ("id," + ",".join(HEAD.names) + "\n1,5,,,,\n", "labels.csv:1: column"),
        ("id," + ",".join(HEAD.names) + '\n"1,5,,,,\n', "a quoted field is not closed"),
    ],
)
def test_bad_label_tables(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        list(read_labels(path, HEAD, id_columns=["id"]))


def test_truncated_gzip_label_table(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv.gz"
    rows = "\n".join(f"{i},,,,," for i in range(5000))
    path.write_bytes(gzip.compress(f"id,{','.join(HEAD.names)}\n{rows}".encode())[:-40])
    with pytest.raises(InputError, match="cut short"):
        list(read_labels(path, HEAD, id_columns=["id"]))


def test_jsonl_round_trip_is_private_and_atomic(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert write_jsonl(path, [{"id": "é", "n": 1}, {"id": "\u2028"}]) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [row["id"] for _, row in read_jsonl(path)] == ["é", "\u2028"]
    with pytest.raises(TypeError), atomic_write(path) as handle:
        handle.writelines(["half", None])
    assert [number for number, _ in read_jsonl(path)] == [1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("line", ["{", "[1]", '"x"', "[" * 100_000])
def test_bad_json_lines_name_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1}\n\n' + line + "\n")
    with pytest.raises(InputError, match=r"rows.jsonl:3: "):
        list(read_jsonl(path))


def test_unwritable_place(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_jsonl(tmp_path / "absent" / "rows.jsonl", [])


def test_prediction_round_trip() -> None:
    prediction = Prediction(
        id="1",
        model="m",
        task="certainty",
        value=ALL | {"Mass Effect": None},
        raw="x",
        problems=("cut off",),
    )
    assert not prediction.complete
    assert Prediction.from_json(json.loads(json.dumps(prediction.to_json())), HEAD) == prediction


def _task(**changes: object) -> TaskInfo:
    values: dict[str, object] = {
        "label_set_sha256": HEAD.fingerprint,
        "prompt_version": PROMPT_VERSION,
        "layouts": ("line",),
        "sections": "full",
        "base_model": "scratch",
    }
    return TaskInfo(**(values | changes))  # type: ignore[arg-type]


def test_task_files_round_trip(tmp_path: Path) -> None:
    save_task(tmp_path, HEAD, _task())
    assert load_task(tmp_path) == (HEAD, _task())


def test_task_files_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"no {LABEL_SET_FILE}"):
        load_task(tmp_path)
    save_task(tmp_path, HEAD, _task(prompt_version="0"))
    with pytest.raises(CheckpointError, match="prompt version 0"):
        load_task(tmp_path)
    save_task(tmp_path, LabelSet.load("chexpert-14"), _task())
    with pytest.raises(CheckpointError, match="differs from the label set"):
        load_task(tmp_path)
    (tmp_path / TASK_FILE).write_text("{}")
    with pytest.raises(CheckpointError, match="damaged"):
        load_task(tmp_path)


def test_unexpected_errors_do_not_show_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise ValueError("Mrs Smith has pneumonia")

    assert guarded(fail, debug=False) == 2
    err = capsys.readouterr().err
    assert "Smith" not in err
    assert "ValueError" in err
    with pytest.raises(ValueError, match="Smith"):
        guarded(fail, debug=True)


def test_missing_extra_names_the_install_command() -> None:
    assert "pip install -e '.[vllm]'" in MissingExtraError("vllm", "the backend", "vllm").line()


@pytest.mark.parametrize("command", ["build", "train", "label", "eval", "label-set"])
def test_help_needs_no_heavy_package(command: str) -> None:
    code = (
        "import sys\n"
        "from labelwright.cli import main\n"
        "try:\n"
        f"    main(['{command}', '--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'torch', 'transformers', 'trl', 'datasets', 'matplotlib', 'scipy', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_unknown_flags_are_errors() -> None:
    for flags in (["label-set", "list", "--colour"], ["--colour"], ["paint"]):
        with pytest.raises(SystemExit) as end:
            main(flags)
        assert end.value.code == 2
