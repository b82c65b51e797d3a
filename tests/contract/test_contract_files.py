"""docs/contract, held to what it says: golden files, schemas, AsyncAPI, rules, consumers."""

import hashlib
import hmac
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgpack
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.journal.record import KIND_NAMES, Part
from edge.core.sync import topics
from edge.core.sync.ack import decode_ack
from edge.core.sync.batch import decode_batch
from hil_tests.micropython.prerequisite import (
    NODE_MODULES,
    require_command,
    require_node_package,
)
from tests.contract.brokers import HOST, Broker, mosquitto, wait_until
from tests.unit.contract_golden import FOLDER, golden_files, read_golden
from tests.unit.receiver_journal import resealed
from tests.unit.source_tree import ROOT
from tests.unit.test_docs_golden import read_batch

CONTRACT = ROOT / "docs" / "contract"
FILES = sorted(FOLDER.glob("*.json"))
DEFLATED = FOLDER / "deflated-kinds.json"
BATCHES = [path for path in FILES if path.name.startswith("batch")]


@cache
def schema_of(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((CONTRACT / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def plain(value: Any) -> Any:
    """A decoded value as the schemas see it: bytes as {"hex": text}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def leaf_of(golden: dict[str, Any]) -> str:
    parts = topics.parse_topic(golden["topic"])
    assert parts is not None and parts[1] == golden["gateway"]
    return parts[2]


def test_the_core_still_makes_the_golden_files():
    hint = "the wire format changed: a new version? python -m tests.unit.test_docs"
    found = {path.name: path.read_text("utf-8") for path in FILES}
    assert found == golden_files(), hint


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_is_what_its_schemas_say(path: Path):
    schema_of("golden").validate(json.loads(path.read_text("utf-8")))
    golden = read_golden(path)
    leaf = leaf_of(golden)
    if leaf == topics.STATE:
        schema_of(leaf).validate(golden["payload"].decode())
        return
    schema_of(leaf).validate(plain(msgpack.unpackb(golden["payload"])))
    purpose = f"carbontally {leaf} 1".encode()
    seal = hmac.digest(golden["key"], purpose + golden["payload"][:-34], "sha256")
    assert golden["payload"][-32:] == seal
    if leaf == topics.ACK:
        ack = decode_ack(golden["payload"], golden["gateway"], golden["key"])
        assert ack.epoch == golden["epoch"]


@pytest.mark.parametrize("path", BATCHES, ids=lambda path: path.stem)
def test_a_golden_batch_is_read_by_the_text_of_the_contract(path: Path):
    golden = read_golden(path)
    batch = decode_batch(golden["payload"], golden["key"])
    assert list(batch.hashes) == [row["hash"] for row in golden["records"]]
    fields = [row["fields"] for row in golden["records"]]
    assert read_batch(golden["payload"], golden["key"]) == fields
    head = batch.hash_before
    for row in golden["records"]:
        assert msgpack.packb(row["fields"]) == row["canonical"]
        head = hashlib.sha256(head + row["canonical"]).digest()
        assert head == row["hash"]
        schema_of("record").validate(plain(row["fields"]))
    if path.stem != "batch-kinds":
        return
    assert {row[0] for row in fields} == set(range(len(KIND_NAMES)))
    parts = {part[0] for row in fields if row[0] == 0 for part in row[6]}
    assert parts == {value for name, value in vars(Part).items() if name.isupper()}
    assert {row[5] for row in fields} == {0, 1, 2}


WRONG = {
    "batch": [
        lambda b: b.pop(),
        lambda b: b.__setitem__(0, 2),
        lambda b: b.__setitem__(1, "a/b"),
        lambda b: b.__setitem__(2, b"short"),
        lambda b: b.__setitem__(3, -1),
        lambda b: b.__setitem__(7, [-7]),
        lambda b: b[8].append([0, 1, ["text"], [], []]),
    ],
    "ack": [
        lambda a: a.__setitem__(3, -2),
        lambda a: a.__setitem__(4, b"short"),
        lambda a: a.__setitem__(5, list(range(34))),
        lambda a: a.append(0),
    ],
}


@pytest.mark.parametrize(("name", "file"), [("batch", "batch-kinds"), ("ack", "ack-gaps")])
def test_the_schemas_refuse_what_is_wrong(name: str, file: str):
    for change in WRONG[name]:
        fields = msgpack.unpackb(read_golden(FOLDER / f"{file}.json")["payload"])
        schema_of(name).validate(plain(fields))
        change(fields)
        with pytest.raises(jsonschema.ValidationError):
            schema_of(name).validate(plain(fields))


def test_every_change_of_type_in_a_record_is_refused():
    """Each field of each body in turn becomes a boolean, which no record has."""
    for row in read_golden(BATCHES[0])["records"]:
        for at in range(6):
            fields = list(row["fields"])
            fields[at] = True
            assert list(schema_of("record").iter_errors(plain(fields))), (row["fields"][0], at)
        if row["fields"][0] in (1, 4, 5):
            for at in range(len(row["fields"][6])):
                body = list(row["fields"][6])
                body[at] = True
                fields = [*row["fields"][:6], body]
                assert list(schema_of("record").iter_errors(plain(fields))), (fields[0], at)


@pytest.mark.system
def test_the_asyncapi_document_is_valid_and_names_what_there_is():
    document = json.loads((CONTRACT / "asyncapi.json").read_text("utf-8"))
    folder = require_node_package("@asyncapi/specs") / "schemas"
    official = json.loads((folder / "3.0.0.json").read_text("utf-8"))
    jsonschema.Draft7Validator(official).validate(document)
    broken = {**document, "channels": {"batch": {"address": 5}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(official).validate(broken)
    addresses = {channel["address"] for channel in document["channels"].values()}
    leaves = (topics.BATCH, topics.ACK, topics.STATE)
    assert addresses == {topics.topic("{tenant}", "{gateway}", leaf) for leaf in leaves}
    for message in document["components"]["messages"].values():
        assert (CONTRACT / message["payload"]["$ref"]).is_file()
    sends = {name: op for name, op in document["operations"].items() if op["action"] == "send"}
    retained = {op["channel"]["$ref"]: op["bindings"]["mqtt"]["retain"] for op in sends.values()}
    assert retained == {"#/channels/batch": False, "#/channels/state": True}


# The consumers that somebody copies.

EXPECTED = [
    [row["fields"][1], row["fields"][4], row["fields"][6][0], *row["fields"][6][1]]
    for row in read_golden(BATCHES[0])["records"]
    if row["fields"][0] == 1
]


CONSUMERS = {"python": "consumer.py", "node": "consumer.mjs"}
LINES_MAX = 20


@pytest.mark.parametrize("name", CONSUMERS.values())
def test_a_consumer_is_short_enough_to_copy(name: str):
    text = (CONTRACT / name).read_text("utf-8").rpartition('"""\n')[2]
    lines = [line.strip() for line in text.splitlines()]
    assert len([line for line in lines if line and not line.startswith(("#", "//"))]) <= LINES_MAX


@contextmanager
def consumer(kind: str, folder: Path, broker: Broker) -> Iterator[list[str]]:
    """A copied consumer on a broker; the lines that it prints."""
    golden = read_golden(BATCHES[0])
    words = [HOST, str(broker.port), golden["topic"], golden["key"].hex()]
    script = Path(shutil.copy(CONTRACT / CONSUMERS[kind], folder))
    if kind == "node":
        for name in ("mqtt", "@msgpack/msgpack"):
            require_node_package(name)
        (folder / "node_modules").symlink_to(NODE_MODULES)
        command = [require_command("node"), str(script), *words]
    else:
        command = [sys.executable, "-u", str(script), *words]
    lines: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        output = process.stdout
        reader = threading.Thread(target=lambda: lines.extend(output), daemon=True)
        reader.start()
        try:
            wait_until(lambda: b"Sending SUBACK" in broker.log.read_bytes(), "it has subscribed")
            yield lines
        finally:
            process.kill()
            reader.join(5)


def publish(port: int, topic: str, payload: bytes) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect(HOST, port)
    client.loop_start()
    client.publish(topic, payload, qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


@pytest.mark.system
@pytest.mark.parametrize("kind", CONSUMERS)
def test_a_consumer_prints_the_readings_from_a_real_broker(tmp_path: Path, kind: str):
    golden = read_golden(BATCHES[0])
    whole, deflated = golden["payload"], read_golden(DEFLATED)["payload"]
    forged = [resealed(whole, lambda fields: None, bytes(32)), whole[:-1], b"", bytes(70_000)]
    expected = [" ".join(map(str, row)) for row in EXPECTED]
    refused = ["refused: not authentic"] * len(forged)
    with mosquitto(tmp_path) as broker, consumer(kind, tmp_path, broker) as lines:
        for payload in (whole, *forged, deflated):
            publish(broker.port, golden["topic"], payload)
        wanted = [*expected, *refused, *expected]
        wait_until(lambda: len(lines) >= len(wanted), f"{wanted}: {lines}")
    assert [line.strip() for line in lines] == wanted


# Who may do what.

GATEWAY, OTHER = "park-7.boiler-house", "park-7.reader"


class User:
    """A client under one user; what it was given and what it was refused."""

    def __init__(self, broker: Broker, name: str, topic: str) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.granted: list[int] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self.client.username_pw_set(name, "secret")
        self.client.on_message = lambda _, __, m: self.messages.append((m.topic, m.payload))
        self.client.on_subscribe = lambda *a: self.granted.append(a[3][0].value)
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self.client.connect(HOST, broker.port)
        self.client.loop_start()
        wait_until(lambda: self.granted, f"{name} has an answer to its subscription")

    def say(self, topic: str) -> None:
        self.client.publish(topic, self.client._client_id, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.system
def test_the_access_rules_let_everyone_do_their_part_and_no_more(tmp_path: Path):
    rules = tmp_path / "acl"
    shutil.copy(CONTRACT / "mosquitto.acl", rules)
    rules.chmod(0o600)
    users = dict.fromkeys((GATEWAY, "receiver", OTHER, "stranger"), "secret")
    with mosquitto(tmp_path, users=users, acl_file=rules) as broker:
        everyone = {name: User(broker, name, "carbontally/v1/#") for name in users}
        leaves = ("batch", "state", "ack")
        owners = ("park-7/boiler-house", "park-7/other", "park-8/boiler-house")
        for user in everyone.values():
            for owner in owners:
                for leaf in leaves:
                    user.say(f"carbontally/v1/{owner}/{leaf}")
        everyone["receiver"].say("carbontally/v1/park-7/boiler-house/ack")
        heard = {name: user.messages for name, user in everyone.items()}
        wait_until(lambda: len(heard[GATEWAY]) == 2, "the last ack has arrived")
        for user in everyone.values():
            user.close()
    ours = [f"carbontally/v1/park-7/boiler-house/{leaf}" for leaf in leaves]
    acks = [f"carbontally/v1/{owner}/ack" for owner in owners]
    assert heard[GATEWAY] == [(ours[2], b"receiver")] * 2
    assert heard["receiver"] == [(ours[0], GATEWAY.encode()), (ours[1], GATEWAY.encode())]
    assert {topic for topic, _ in heard[OTHER]} == {*ours, acks[1]}
    assert heard["stranger"] == []
