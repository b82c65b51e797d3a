"""A spreadsheet computes nothing of a table of ours."""

import csv
import io

from cloud_sync.api.formats import write_csv
from cloud_sync.csv_cell import as_cell


def test_names_that_begin_like_formulas_are_text_and_numbers_stay():
    formulas = ["=1+1", "+1", "-1+1", "-2+3+cmd|' /C calc'!A0", "@x", "\tx", "\rx"]
    assert [as_cell(text) for text in formulas] == ["'" + text for text in formulas]
    kept = ["-2", "-0.5", "gw-1", "", "1", 7, -7, None]
    assert [as_cell(value) for value in kept] == kept


def test_the_api_writes_its_cells_like_that():
    (head, row) = csv.reader(
        io.StringIO(b"".join(write_csv({"a": "text", "b": "text"}, [["-1+1", "-1.5"]])).decode())
    )
    assert (head, row) == (["a", "b"], ["'-1+1", "-1.5"])
