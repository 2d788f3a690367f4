"""HL7 v2 messages for tests of readers, written here after the standard's ORU^R01."""

from __future__ import annotations

from pathlib import Path

from reading_tools import saved

MSH = "MSH|^~\\&|RIS|HOSP|EHR|HOSP|20240501110000||ORU^R01^ORU_R01|{control}|P|2.5.1"
PID = "PID|1||P7^^^HOSP^MR||DOE^JANE"
OBR = (
    "OBR|1|{placer}|{filler}|71046^XR Chest 2V^CPT|||20240501100000"
    + "|" * 15
    + "20240501105500|||{status}"
)


def obr(filler: str = "F1", placer: str = "", status: str = "F") -> str:
    return OBR.format(filler=filler, placer=placer, status=status)


def obx(text: str, kind: str = "TX", code: str = "36643-5", status: str = "F") -> str:
    return f"OBX|1|{kind}|{code}^XR Chest^LN||{text}||||||{status}"


def message(*segments: str, control: str = "M1", charset: str = "") -> list[str]:
    """The segments of an ORU^R01 with a patient; a plain report unless others are given."""
    header = MSH.format(control=control) + ("|" * 6 + charset if charset else "")
    return [header, PID, *(segments or (obr(), obx("Clear lungs."), obx("Normal.")))]


def written(folder: Path, *segments: str, end: str = "\r", encoding: str = "utf-8") -> Path:
    return saved(folder, "a.hl7", "".join(s + end for s in segments).encode(encoding))
