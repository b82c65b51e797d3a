"""`carbontally build esp32`: what it leaves out, what it refuses, what lies in the image."""

import json
from pathlib import Path

import pytest
from littlefs import LittleFS

from edge.__main__ import main
from edge.app.cli.build import ENTRIES, compile_config, unused_methods
from edge.app.cli.build_board import read_board
from edge.app.cli.build_plan import plan_of
from edge.app.cli.build_rom import write_rom
from edge.app.cli.build_shake import shake
from edge.app.cli.build_tree import check_version, needed_modules
from edge.core.errors import ConfigError
from edge.ports.esp32.bundle import Bundle, encode_bundle
from edge.ports.esp32.rom import check_rom
from hil_tests.micropython.twins import settings_of, twin_plan
from hil_tests.site import KEY, Site

from .source_tree import ROOT
from .test_gateway_plan import docs_plan

DEVKIT = ROOT / "boards" / "esp32_devkitc_max485"
IMAGE_BYTES = 0x18000

SOURCES = {
    "edge": "",
    "edge.one": """
from edge.two import Kept, unused_import, constant
TYPE_CHECKING = False
if TYPE_CHECKING:
    import nothing_like_that
table = [1, 2]
spare = {"never": table}
def run() -> "str":
    return Kept(constant).go()
def dead(): return dead_too()
def dead_too(): return dead()
""",
    "edge.two": """
from edge.three import everything
constant = 7
other = 8
def unused_import(): return everything
class Kept:
    def __init__(self, value): self.value = value
    def go(self): return getattr(self, "by_text")()
    def by_text(self): return "went %d" % self.value
    def gone(self): return other
class Gone: pass
""",
    "edge.three": "everything = 1\n",
}


def test_what_nothing_names_is_left_out_and_the_rest_runs():
    left = shake(SOURCES, ("edge.one",), "from edge.one import run\nrun()\n")
    assert sorted(left) == ["edge", "edge.one", "edge.two"]
    for word in ("dead", "spare", "gone", "Gone", "other", "unused_import", "nothing_like_that"):
        assert word not in left["edge.one"] + left["edge.two"], word
    made: dict[str, object] = {}
    exec(left["edge.two"], made)
    exec(left["edge.one"].replace("from edge.two import Kept, constant", ""), made)
    assert made["run"]() == "went 7"  # type: ignore[operator]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path, 1883)
    made.document["bus"][0]["port"] = "bus0"
    made.write()
    return made


def build(site: Site, board: Path = DEVKIT) -> int:
    out = site.folder / "out"
    return main(
        ["build", "esp32", "-b", str(board), "-c", str(site.config), "-o", str(out), "--json"]
    )


def test_the_image_holds_the_files_and_the_sizes_are_told(site: Site, capsys):
    assert build(site) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["core_bytes"] <= 40_960 and told["program_bytes"] <= 122_880, told
    assert told["image_used_bytes"] <= told["image_bytes"] == IMAGE_BYTES
    out = site.folder / "out"
    image = LittleFS(block_size=4096, block_count=IMAGE_BYTES // 4096, mount=False)
    image.context.buffer = bytearray((out / "files.img").read_bytes())
    image.mount()
    names = sorted(path.name for path in (out / "tree").iterdir())
    assert sorted(image.listdir("/")) == names and len(names) == 5
    for name in names:
        with image.open(name, "rb") as file:
            assert file.read() == (out / "tree" / name).read_bytes(), name
    secrets = out / "secrets.csv"
    assert secrets.stat().st_mode & 0o077 == 0 and KEY.hex() in secrets.read_text()
    assert not any(KEY.hex().encode() in path.read_bytes() for path in (out / "tree").iterdir())


def test_a_partition_romfs_gets_the_modules_and_their_check(site: Site, capsys):
    assert build(site) == 0
    told = json.loads(capsys.readouterr().out)
    image = (site.folder / "out" / "romfs.img").read_bytes()
    assert told["rom_used_bytes"] == len(image) <= told["rom_bytes"] == 0x28000
    assert len(image) - told["program_bytes"] < 24 * told["modules"]
    check = image[-4:].hex()
    check_rom(rom_of(image), check)
    for at in range(0, len(image), 997):
        with pytest.raises(ValueError, match="romfs is damaged"):
            check_rom(rom_of(image[:at] + bytes([image[at] ^ 1]) + image[at + 1 :]), check)
    with pytest.raises(ValueError, match=r"config\.build: romfs is of another build"):
        check_rom(rom_of(image), "c0ffee00")
    with pytest.raises(ValueError, match="without ROMFS"):
        check_rom(None, check)
    with pytest.raises(ValueError, match="no partition romfs"):
        check_rom(lambda *_: 0, check)
    tree = site.folder / "out" / "tree"
    assert json.loads((tree / "config.json").read_text().splitlines()[0])["program"] == check
    board = ROOT / "boards" / "esp32s3_rs485_auto"
    assert build(site, board) == 0
    assert "rom_bytes" not in json.loads(capsys.readouterr().out)
    assert not (site.folder / "out" / "romfs.img").exists(), "of another board"
    assert (site.folder / "out" / "tree" / "app.bin").exists()


@pytest.mark.parametrize("size", [*range(100, 104), *range(16_300, 16_304), 150_000, 150_001])
def test_an_image_of_any_length_is_seen_to_be_whole(tmp_path: Path, size: int):
    write_rom({"a.mpy": bytes(size)}, tmp_path / "romfs.img", 1 << 20)
    image = (tmp_path / "romfs.img").read_bytes()
    check_rom(rom_of(image), image[-4:].hex())
    for damaged in (image[:3] + b"\xff" * 9, image[:3], image[:-5], b"\xff" * 64):
        with pytest.raises(ValueError, match="romfs is damaged"):
            check_rom(rom_of(damaged), image[-4:].hex())


def rom_of(image: bytes):
    """`vfs.rom_ioctl` of a firmware whose partition is longer than the image."""
    return lambda op, *_: 1 if op == 1 else image + b"\xff" * 64


def test_a_program_beyond_its_partition_is_refused(tmp_path: Path):
    modules = {"a/b.mpy": bytes(200), "c.mpy": b"M"}
    size = write_rom(modules, tmp_path / "romfs.img", 4096)
    assert write_rom(modules, tmp_path / "romfs.img", size) == size
    with pytest.raises(ConfigError, match=r"config\.file"):
        write_rom(modules, tmp_path / "romfs.img", size - 1)


@pytest.mark.parametrize(
    "head", [b"M\x05\x03\x1f", b"M\x06\x2f\x1f", b"M\x06\x03\x3f", b"C\x06\x03\x1f"]
)
def test_an_mpy_cross_of_another_firmware_is_refused(head: bytes):
    assert check_version(b"M\x06\x03\x1f...", "x.py") == b"M\x06\x03\x1f..."
    with pytest.raises(ConfigError) as caught:
        check_version(head + b"...", "x.py")
    assert caught.value.fields["file"] == "x.py"
    assert "mpy-cross" in str(caught.value.fields["reason"])


def test_methods_that_no_stream_and_no_point_uses_stay_behind(site: Site):
    facts = read_board(DEVKIT)
    plan, _ = compile_config(site.config, facts, None, None)
    methods = {
        "edge.core.bus.decode",
        "edge.core.carbon.cems",
        "edge.core.carbon.stack_tally",
        "edge.core.carbon.tariff",
        "edge.core.carbon.timed",
        "edge.core.carbon.virtual",
        "edge.core.numbers.words",
    }
    assert set(unused_methods(plan)) == methods <= set(needed_modules(ENTRIES))
    assert set(unused_methods(docs_plan())) == set()


def test_a_device_of_more_points_than_a_record_holds_is_refused():
    plan = twin_plan()
    points = plan["profiles"]["meter"]["points"]
    plan["profiles"]["meter"]["points"] = [
        {**points[0], "name": f"a_rather_long_name_of_a_point_{at}", "address": 2 * at}
        for at in range(200)
    ]
    for stream in plan["document"]["stream"]:
        stream["point"] = stream["point"].replace(".p", ".a_rather_long_name_of_a_point_")
    with pytest.raises(ConfigError) as caught:
        plan_of(settings_of(plan))
    assert caught.value.fields["key"] == "points of device m0"
    assert str(caught.value.fields["found"]).startswith("200 points")


@pytest.mark.parametrize(
    ("port", "board", "code", "key"),
    [
        ("bus0", "raspberry_pi_rs485_hat", "config.value", "platform"),
        ("bus1", "esp32_devkitc_max485", "config.reference", "bus[0].port"),
        ("bus0", "no_board", "config.file", None),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is_made(
    site: Site, port: str, board: str, code: str, key: str | None, capsys
):
    site.document["bus"][0]["port"] = port
    site.write()
    assert build(site, ROOT / "boards" / board) == 78
    assert f"error[{code}]" in capsys.readouterr().err
    assert not (site.folder / "out" / "files.img").exists()
    with pytest.raises(ConfigError) as caught:
        compile_config(site.config, read_board(ROOT / "boards" / board), None, None)
    assert (caught.value.code, caught.value.fields.get("key")) == (code, key)


def test_a_bundle_gives_its_modules_and_tells_damage_at_every_byte(tmp_path: Path):
    modules = {"a/b.mpy": b"M\x06" * 40, "a/__init__.mpy": b"", "c.mpy": bytes(range(200))}
    path = tmp_path / "app.bin"
    path.write_bytes(encode_bundle(modules))
    bundle = Bundle(str(path))
    for name, data in modules.items():
        with bundle.open("/" + name, "rb") as file:
            assert file.read(len(data)) == data
        assert bundle.stat(name)[0] == 0x8000 and bundle.stat(name)[6] == len(data)
    assert bundle.stat("/a")[0] == 0x4000
    for missing in ("/a/x.mpy", "/b", "/a/b.mpyx"):
        with pytest.raises(OSError, match="2"):
            bundle.stat(missing)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises((ValueError, OSError)):
                Bundle(str(path))
