"""Cells of workbooks that hold something, though their value is empty: errors, formulas, merges."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pytest
from reading_tools import cell, failure, ods, read, saved, texts, xlsx

from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.hidden_cells import address
from labelwright.records import Reject

UNSAVED = "open the workbook in Excel or LibreOffice and save it"


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def error(at: str, name: str) -> str:
    return f'<c r="{at}" t="e"><f>x</f><v>{name}</v></c>'


def test_addresses() -> None:
    places = [(0, 0), (8, 25), (8, 26), (0, 701), (0, 702)]
    assert [address(place) for place in places] == ["A1", "Z9", "AA9", "ZZ1", "AAA1"]


def test_errors_and_formulas_without_value_are_told_from_empty_cells(tmp_path: Path) -> None:
    sheet = (
        row(3, cell("C3", "id"), cell("D3", "findings"), cell("E3", "impression"), cell("F3", "x"))
        + row(4, cell("C4", "a"), cell("D4", "Clear."), error("E4", "#REF!"))
        + row(5, cell("C5", "b"), '<c r="D5"><f>A1</f><v></v></c>')
        + row(6, cell("C6", "c"))
        + row(7, cell("C7", "d"), cell("D7", "Effusion."), '<c t="str"><f>A1</f><v></v></c>')
        + row(8, error("C8", "#NUM!"), cell("D8", "Effusion."))
        + row(9, error("D9", "#N/A"))
        + row(10, error("F10", "#N/A"))
        + row(11, cell("C11", "e"), cell("D11", "Effusion."), "<c/>", error("F11", "#N/A"))
    )
    items = read(xlsx(tmp_path / "a.xlsx", {"S": sheet}))
    assert [(item.id, item.row) for item in items] == [
        *(("a", 1), ("b", 2), ("c", 3), ("d", 4), (None, 5), (None, 6)),
        ("e", 7),  # row 10 holds nothing that is read
    ]
    assert texts(items) == [
        "the cell E4 holds an error (#REF!)",
        f"the formula in cell D5 has no saved value; {UNSAVED}",
        "the report has no text",
        "FINDINGS:\nEffusion.",
        "the cell C8 holds an error (#NUM!)",
        "the cell D9 holds an error (#N/A)",
        "FINDINGS:\nEffusion.",
    ]


def test_an_error_of_no_known_name(tmp_path: Path) -> None:
    sheet = row(1, cell("A1", "id"), cell("B1", "text")) + row(2, error("A2", "Mrs Canary"))
    fault = failure(xlsx(tmp_path / "a.xlsx", {"S": sheet}))
    assert fault.what == "the sheet S is damaged, or holds cells of an unknown kind"


def test_merged_cells_hold_for_all_their_rows(tmp_path: Path) -> None:
    head = row(1, cell("A1", "id"), cell("B1", "Report"), cell("D1", "patient"))
    head += row(2, cell("B2", "findings"), cell("C2", "impression"))
    rows = [
        row(3, cell("A3", "a"), cell("B3", "Clear."), cell("D3", "p1")),
        row(4, cell("A4", "b"), cell("C4", "Effusion.")),
        row(5, cell("A5", "c"), cell("B5", "Clear."), cell("D5", "p2")),
        row(6, cell("B6", "And more.")),
        row(7, cell("A7", "d"), cell("B7", "Clear."), cell("D7", "p3")),
        row(8, cell("D8", "p4")),
        row(9, cell("B9", "Clear.")),
    ]
    merged = "".join(
        f'<mergeCell ref="{each}"/>'
        for each in ("A1:A2", "D1:D2", "B3:B4", "D3:D4", "A5:A6", "A7:A8")
    )
    path = xlsx(
        tmp_path / "a.xlsx", {"S": head + "".join(rows)}, after=f"<mergeCells>{merged}</mergeCells>"
    )
    items = read(path)
    assert texts(items) == [
        "FINDINGS:\nClear.",
        "FINDINGS:\nClear.\n\nIMPRESSION:\nEffusion.",
        "the id in A5 is merged over rows with several texts; write one row a report",
        "the id in A5 is merged over rows with several texts; write one row a report",
        "FINDINGS:\nClear.",
        "no text of its own; its id is merged with A7 above",
        "the id is missing",
    ]
    assert [getattr(item, "patient", None) for item in items[:2]] == ["p1", "p1"]


def test_open_document_cells(tmp_path: Path) -> None:
    def words(text: str, more: str = "", kind: str = "string") -> str:
        return (
            f'<table:table-cell office:value-type="string" calcext:value-type="{kind}" {more}>'
            f"<text:p>{text}</text:p></table:table-cell>"
        )

    def line(*cells: str) -> str:
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    failed = words("#DIV/0!", 'table:formula="of:=1/0" office:string-value=""', "error")
    rows = [
        line(words("id"), words("text")),
        line(words("a"), failed),
        line(words("b"), words("Clear.", 'table:number-rows-spanned="2"')),
        line(words("c"), "<table:covered-table-cell/>"),
        line(words("d"), '<table:table-cell table:formula="of:=[.B3]"/>'),
    ]
    ods(tmp_path / "a.ods", rows)
    assert texts(read(tmp_path / "a.ods")) == [
        "the cell B2 holds an error (#DIV/0!)",
        "Clear.",
        "Clear.",
        f"the formula in cell B5 has no saved value; {UNSAVED}",
    ]


def test_an_old_workbook_as_libreoffice_saves_it(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.xls", zlib.decompress(base64.b85decode("".join(OLD.split()))))
    assert texts(read(path)) == [
        "the cell B2 holds an error (#N/A)",
        "the cell A3 holds an error (#DIV/0!)",
        "the report has no text",
        "Effusion.",
    ]


@pytest.mark.parametrize("name", ["#REF!", "#N/A", "#NV", "#WAARDE!", "Err:502"])
def test_errors_that_came_as_words(tmp_path: Path, name: str) -> None:
    table = f"id,findings,impression\na,{name},Clear.\n{name},Clear.,\nb,Clear.,Err 502 #1"
    items = read(saved(tmp_path, "a.csv", table), ReadOptions(text_columns=("findings",)))
    assert texts(items) == [
        "the text is an error of a spreadsheet, such as #REF!",
        "the id is an error of a spreadsheet, such as #REF!",
        "Clear.",
    ]
    both = read(saved(tmp_path, "b.csv", table))
    assert isinstance(both[0], Reject) is (name != "#N/A")  # which is also a word for nothing
    assert not isinstance(both[2], Reject)


OLD = r"""
c-rk(Uu;uV82`>~*WQ+~-3_KNpjH$ZTUl6$I-|IbGJ!-ggZL+AiFD<bRm$3wl8gsqC-Pz-(eR*&B!*-
UCMN!gi9TrJ_Qr!oUwF_+GI-M9Lp2&h;&%Og-#s07U6-r_Nz{Ee-
#zDi=g)V}_wRh?yKh^jFMZN}jjG@=^3kjlqJW2{fM%s(5gD2`>o`t@?5x1Q3TAZ4I`l(-
4M5g;Q0q0M%N6)<!Xe7xD^ipOXcT3EPE$Q_4=l#J-
cshwE^*vaVTJ$l`E&f{IPL>h`#;Be_Wv+&6|fPw8rTGEcCP?x0k#6y0M`QB#3qRD1+D|G2etz@05@vh5nVFgkNRfd1Dd
u4<<^y$bJrkbLW_Y0`eOChta8!)HCV*Q{wcAG>%bw(vuz}j*;Mpy!5-
N|Qt=)pVWhiJQ*;s3Ci+OIU&?>CSRWux(OzxQFBoyz`+50qmVXoR{Lf|14?^jo2>mEl{-
!vAqM%AplCqScVZ^}<Mzqsq_ODlE1bc_-mmVH<JG~KqBTcZ6?XySiLNYrozB568I8l$EPDYu|(}n)~(&$E=bo$@XCm_3
8a_(}+m#gX97oo=%p?5Aq4=tcyFyL1ua=5fgJ}FyD0V!Kceks?Kf>N$6H8@Aae$OHbzv~y9qGv{IyLb-nsqjrH6G(LUy
rLWQA_wX6Az>9Lb1-Hvt|aYV+(oO(>_%U~8B7{i2>RxvisK)r$gh?g_DzI;6Jg!_6OsQfdPuH_pnH8}j$-
AaJyyhONraF@)=n0>(HI7%u-rg8ed=T;H`?vsHZdvTcW;xF*#^9&i8fsteC4>I$(k3M8o})-
&c)8$B4@F%+>XS?8`mFh?|Vt;rCW~_+QI^+m>NgVl)qDEbjklU8C$us&Is*w`EQ+@|5M*KPrYNVUhdoOsb4~f31L?xIx
xU3rq(qE&P*Md?yHoFo<)yIugI}Uy<s-
%lQy}*!EJCjGAvz>xq(A93r*Fa88v7=*~fgEziQl!T<Pv5PP(PgQo5z2&k&ifms4@8Q&J6g+dk?KqjQrC;?AI_Ge{AI;
7S2r%aGYVy|Pb+`*q7Nt%kW4k7O<XLQnIe<^8UH%cizdo`AK=JKa^v9YPP4tr|&=L1CH4bC|;uMk{?5aBm8t$3<U+1Gs
yuFaR8bksmX?3#m$C6<)|jAye^%-
5ks^4cD*Tt|vL?IhaWmawl`?Vsv0EWoM(0KC<I*a@fvhZ8_<lOgi0rJGq~7t!CLU>yQ|2jdf}I?0di692~Jec*~@&ZJ&
P6Vt+?Fz0!hY74Fx0;*b{6h|U*_I%h2Dyz!hi@t<di%|qto^7d%{^jMa8Ms)v9y><l_)H7EP?i;_Vy!AVMesQfU-
(0!ay}`QhHqIZr`Qcu6)GFGL&T}iF)bgD1DV<j{M0J0!?vHzNZ<bYmKL4Cu;1D@qMl9c5-
97YA!JT~n$@!~%pw=9g$z;f_KM(E&I*yEs_i?=L{kK9|hL)34$GfU0Sh4d2_?|$9JBU5Jye$4c&l_whb2b4F%=y_M@<D
sq`r`mw@B8mQ{Z`W%1f9b9ParR4-5-
Dzq(vu8DI#CZfwDMsX#Nd#$e(@T@*MxY;E<9%*kXb8?WcDc=YJ6R{>uAb;BS?97On
"""
