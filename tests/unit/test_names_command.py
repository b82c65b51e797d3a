"""`carbontally names`: the short names of a device's program, told by the map of its build."""

import json
from pathlib import Path

from edge.__main__ import main
from edge.app.cli.build_fold import fold
from edge.app.cli.build_join import join
from edge.app.cli.build_names import shorten

from .test_build_names import ENTRIES, KEPT, SOURCES


def test_what_a_device_says_is_read_by_the_names_of_its_build(tmp_path: Path, capsys):
    joined = fold(join(SOURCES, ENTRIES))
    told = shorten(joined, KEPT)
    path, said = tmp_path / "names.json", tmp_path / "console.txt"
    path.write_text(json.dumps(told))
    short = {meant: name for name, all_meant in told["core"].items() for meant in all_meant}
    scale = short["edge.core.sums.scale"]
    fields = next(name for name, meant in told["attributes"].items() if meant == ["fields"])
    said.write_text(
        f'  File "app", line 1, in run\n  File "core", line 1, in {scale}\n'
        f"AttributeError: 'DataError' object has no attribute '{fields}'\nDataError: data.range\n"
    )
    assert main(["names", str(path), str(said), "--json"]) == 0
    rows = [json.loads(line)["names"] for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {"run": ["edge.app.start.run"]}
    assert "edge.core.sums.scale" in rows[1][scale]
    assert rows[2]["DataError"] == ["edge.core.errors.DataError"], "classes of errors stay"
    assert rows[2][fields] == ["fields"] and rows[3] == {}
    assert main(["names", str(path), str(said)]) == 0
    assert "        run: edge.app.start.run\n" in capsys.readouterr().out
    for wrong in ("{", "[]", '{"core": 1}', "{}"):
        path.write_text(wrong)
        assert main(["names", str(path), str(said)]) == 78
    assert "error[config.file]" in capsys.readouterr().err
