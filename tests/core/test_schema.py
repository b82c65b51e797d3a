from edge.core.errors import TallyError
from edge.core.schema import check_document, nearest

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "test",
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "bus"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z]+$", "description": "lower-case letters"},
        "wait_ms": {"type": "integer", "minimum": 0, "maximum": 10},
        "least": {"type": "integer", "minimum": 3},
        "on": {"type": "boolean"},
        "baud": {"enum": [9600, 19200]},
        "format": {"enum": ["8N1", "8E1"]},
        "name": {"type": "string", "minLength": 2},
        "pair": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}},
        "free": {"type": "object", "additionalProperties": {"type": "integer"}},
        "bus": {"type": "array", "items": {"$ref": "#/$defs/bus"}},
    },
    "$defs": {
        "bus": {
            "type": "object",
            "additionalProperties": False,
            "required": ["port"],
            "properties": {"port": {"type": "string"}, "station": {"type": "integer"}},
        }
    },
}


def fault(**changes):
    document = {"id": "x", "bus": [{"port": "p"}]}
    document.update(changes)
    return check(document)


def check(document):
    try:
        check_document(document, SCHEMA, "gateway.toml")
    except TallyError as error:
        assert error.fields["file"] == "gateway.toml"
        return error.code, error.fields
    return None, {}


def test_a_document_that_fits_is_left_alone():
    assert check({"id": "x", "bus": []})[0] is None
    full = fault(
        wait_ms=10,
        least=3,
        on=True,
        baud=9600,
        format="8E1",
        name="ab",
        pair=[1, 2],
        free={"any": 1},
    )
    assert full[0] is None


def test_an_unknown_key_is_named_with_its_nearest():
    code, fields = fault(wait_mss=1)
    assert (code, fields["key"], fields["nearest"]) == (
        "config.unknown_key",
        "wait_mss",
        "wait_ms",
    )
    code, fields = fault(bus=[{"port": "p"}, {"port": "p", "statoin": 1}])
    assert (fields["key"], fields["nearest"]) == ("bus[1].statoin", "station")
    code, fields = fault(zzzzzzzzz=1)
    assert fields["nearest"].startswith("one of ")


def test_a_misspelt_required_key_is_unknown_before_it_is_missing():
    code, fields = fault(bus=[{"prt": "p"}])
    assert (code, fields["key"], fields["nearest"]) == ("config.unknown_key", "bus[0].prt", "port")


def test_a_missing_key_says_what_belongs_there():
    code, fields = check({"bus": []})
    assert (code, fields["key"]) == ("config.missing_key", "id")
    assert fields["expected"] == "lower-case letters"
    code, fields = fault(bus=[{"port": "p"}, {}])
    assert (code, fields["key"], fields["expected"]) == (
        "config.missing_key",
        "bus[1].port",
        "string",
    )
    schema = {
        "type": "object",
        "required": ["place"],
        "properties": {"place": {"$ref": "#/$defs/point"}},
        "$defs": {"point": {"type": "string", "description": "device.point"}},
    }
    try:
        check_document({}, schema, "f")
    except TallyError as error:
        assert error.fields["expected"] == "device.point"
    else:
        raise AssertionError("accepted")


def test_a_wrong_value_says_what_was_found_and_expected():
    for changes, key, found, expected in (
        ({"id": 5}, "id", "5", "a string"),
        ({"id": "A"}, "id", '"A"', "text like ^[a-z]+$"),
        ({"id": ""}, "id", '""', "text like ^[a-z]+$"),
        ({"wait_ms": "5"}, "wait_ms", '"5"', "an integer"),
        ({"wait_ms": True}, "wait_ms", "True", "an integer"),
        ({"wait_ms": -1}, "wait_ms", "-1", "0 to 10"),
        ({"wait_ms": 11}, "wait_ms", "11", "0 to 10"),
        ({"least": 2}, "least", "2", "at least 3"),
        ({"on": 1}, "on", "1", "a boolean"),
        ({"baud": 9601}, "baud", "9601", "one of 9600, 19200"),
        ({"baud": "9600"}, "baud", '"9600"', "one of 9600, 19200; did you mean 9600?"),
        ({"format": "8N"}, "format", '"8N"', "one of 8N1, 8E1; did you mean 8N1?"),
        ({"name": "a"}, "name", '"a"', "a length of at least 2"),
        ({"pair": [1]}, "pair", "an array of 1", "a length of 2 to 2"),
        ({"pair": [1, 2, 3]}, "pair", "an array of 3", "a length of 2 to 2"),
        ({"pair": [1, "x"]}, "pair[1]", '"x"', "an integer"),
        ({"free": {"any": None}}, "free.any", "None", "an integer"),
        ({"bus": {}}, "bus", "a table", "an array"),
        ({"bus": [[]]}, "bus[0]", "an array of 0", "an object"),
    ):
        code, fields = fault(**changes)
        assert code == "config.value", changes
        assert (fields["key"], fields["found"], fields["expected"]) == (key, found, expected)


def test_true_is_not_one_of_the_numbers():
    schema = {"enum": [0, 1]}
    for value, good in ((1, True), (0, True), (True, False), (False, False), (None, False)):
        try:
            check_document(value, schema, "f")
        except TallyError:
            assert not good, value
        else:
            assert good, value


def test_a_fraction_is_not_one_of_the_numbers_even_when_whole():
    # 9600.0 in a baud rate or an interval would carry fractions into integer arithmetic.
    code, fields = fault(baud=9600.0)
    assert (code, fields["key"]) == ("config.value", "baud")


def test_a_keyword_it_does_not_know_is_a_bug_in_the_schema():
    try:
        check_document(5, {"type": "integer", "multipleOf": 5}, "f")
    except KeyError:
        pass
    else:
        raise AssertionError("left unchecked")


def test_the_nearest_name_is_near_or_none():
    names = ["voltage_l1", "voltage_l2", "current_l1", "frequency"]
    assert nearest("voltage_11", names) == "voltage_l1"
    assert nearest("freqency", names) == "frequency"
    assert nearest("curent_l1", names) == "current_l1"
    assert nearest("temperature", names) == ""
    assert nearest("x", []) == ""
    assert nearest("", names) == ""
