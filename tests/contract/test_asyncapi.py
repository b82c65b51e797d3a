"""The contract's AsyncAPI document as AsyncAPI's own parser reads it."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from hil_tests.micropython.prerequisite import require_command, require_node_package
from tests.unit.source_tree import ROOT

pytestmark = pytest.mark.system

CONTRACT = ROOT / "docs" / "contract"
PARSER = Path(__file__).parent / "asyncapi"

#: What it says of the version 3.0: that there is a newer one.
NEWER = "asyncapi-latest-version"


def parse(path: Path) -> dict:
    require_node_package("@asyncapi/parser", PARSER / "node_modules")
    command = [require_command("node"), str(PARSER / "parse.mjs"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def test_it_has_nothing_to_say_against_the_document():
    told = parse(CONTRACT / "asyncapi.json")
    assert [one for one in told["found"] if one["code"] != NEWER] == []
    assert sorted(told["operations"]) == [
        ["receiveAck", "receive"],
        ["sendBatch", "send"],
        ["sendState", "send"],
    ]


def misplace_message(document: dict) -> None:
    document["operations"]["sendBatch"]["messages"] = [{"$ref": "#/channels/ack/messages/ack"}]


def lose_schema(document: dict) -> None:
    document["components"]["messages"]["ack"]["payload"]["$ref"] = "schemas/none.schema.json"


def lose_parameter(document: dict) -> None:
    del document["channels"]["state"]["parameters"]["gateway"]


def name_an_operation_wrong(document: dict) -> None:
    document["operations"]["sendBatch"]["action"] = "publish"


@pytest.mark.parametrize(
    ("change", "at", "has_form"),
    [
        (misplace_message, "operations.sendBatch", True),
        (lose_schema, "components.messages.ack.payload", True),
        (lose_parameter, "channels.state", True),
        (name_an_operation_wrong, "operations.sendBatch", False),
    ],
)
def test_what_it_refuses(tmp_path: Path, change: Callable[[dict], None], at: str, has_form: bool):
    """That it looks at more than the form, which the official schema is for."""
    shutil.copytree(CONTRACT / "schemas", tmp_path / "schemas")
    document = json.loads((CONTRACT / "asyncapi.json").read_text("utf-8"))
    change(document)
    form = require_node_package("@asyncapi/specs") / "schemas" / "3.0.0.json"
    official = jsonschema.Draft7Validator(json.loads(form.read_text("utf-8")))
    assert official.is_valid(document) == has_form
    (tmp_path / "asyncapi.json").write_text(json.dumps(document))
    told = parse(tmp_path / "asyncapi.json")
    errors = [one for one in told["found"] if one["severity"] == 0]
    assert any(one["path"].startswith(at) for one in errors), told["found"]
