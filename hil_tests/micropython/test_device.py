"""The simulated ESP32 itself: what it has of a board is there, what fails on one fails here."""

import socket
import threading
from pathlib import Path

import pytest

from hil_tests.micropython.device import SOFT_RESET, WATCHDOG_RESET, Device, shim_bytes

pytestmark = pytest.mark.system

HOUR_MS = 3_600_000
TICKS_PERIOD_MS = 2**30
VIRTUAL = {"virtual": True}
FLASH = """
import esp32
part = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="tally")[0]
def read(at, length):
    buffer = bytearray(length)
    part.readblocks(at // 4096, buffer, at % 4096)
    return bytes(buffer)
"""


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path / "device", partitions={"tally": 65536})


def test_garbage_is_collected_whenever_the_heap_is_full(device: Device) -> None:
    """The stock build collects when Python returns, which an endless main never does.

    What only C holds at that moment has to survive: a tuple while its generator runs, a list while
    its keys are computed, pieces of a join, half of a parsed document.
    """
    device.write(
        "main.py",
        "import gc, json\n"
        "def pieces(count):\n"
        "    for at in range(count): yield bytes([at]) * 100\n"
        "class Kept:\n"
        "    def __init__(self, at): self.five = [at] * 5\n"
        "for turn in range(300):\n"
        "    made = tuple(pieces(60))\n"
        "    assert made == tuple([bytes([at]) * 100 for at in range(60)])\n"
        "    made = b''.join(pieces(40))\n"
        "    assert len(made) == 4000 and made[100:200] == b'\\x01' * 100\n"
        "    texts = [str(at) * 5 for at in range(50, 0, -1)]\n"
        "    texts = sorted(texts, key=lambda text: (len(text), [text] * 3, text))\n"
        "    assert texts[0] == '11111' and texts[-1] == '50' * 5\n"
        "    made = dict((str(at), Kept(at)) for at in range(40))\n"
        "    assert sum(made[str(at)].five[3] for at in range(40)) == 780\n"
        "    assert '%s-%d' % ('a' * 50, 1 << 100) == 'a' * 50 + '-' + str(1 << 100)\n"
        "    caught = None\n"
        "    try: {}['x' * 200]\n"
        "    except KeyError as error: caught = error\n"
        "    assert caught.args[0] == 'x' * 200\n"
        "    text = json.dumps({'a': [{'b': ['x' * 100] * 10}]})\n"
        "    assert json.loads(text)['a'][0]['b'] == ['x' * 100] * 10\n"
        "print('all')\n",
    )
    last = device.run(heap_bytes=64 * 1024)
    assert last["lines"] == ["all"], last


def test_the_heap_is_what_was_asked_for_and_a_full_one_can_be_left(device: Device) -> None:
    device.write(
        "main.py",
        "held = []\n"
        "try:\n"
        "    while True: held.append(bytearray(1000))\n"
        "except MemoryError:\n"
        "    print(len(held))\n"
        "    held.clear()\n"
        "raise ValueError('x' * 2000)\n",
    )
    last = device.run(heap_bytes=64 * 1024)
    assert 50 <= int(last["lines"][0]) <= 63
    assert last["reason"] == "exception" and "ValueError" in last["traceback"]


def test_what_the_harness_takes_of_the_heap() -> None:
    assert 8 * 1024 < shim_bytes() < 24 * 1024


def test_programming_clears_bits_and_erasing_sets_them(device: Device) -> None:
    device.write(
        "main.py",
        FLASH + "part.writeblocks(0, b'\\xf0' * 8, 4)\n"
        "part.writeblocks(0, b'\\x3c' * 8, 8)\n"
        "print(read(0, 20))\n"
        "part.writeblocks(0, b'abc')\n"
        "print(read(0, 6))\n"
        "print(part.ioctl(4, 0), part.ioctl(5, 0), part.ioctl(6, 0), read(0, 3))\n"
        "try:\n"
        "    part.writeblocks(16, b'x', 0)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n",
    )
    last = device.run()
    first = b"\xff" * 4 + b"\xf0" * 4 + b"\x30" * 4 + b"\x3c" * 4 + b"\xff" * 4
    assert last["lines"] == [
        repr(first),
        repr(b"abc\xff\xff\xff"),
        "16 4096 0 " + repr(b"\xff" * 3),
        "22",
    ]
    assert last["flash"]["erases"] == 2 and last["flash"]["unerased_bytes"] == 4


@pytest.mark.parametrize("mode", ["atomic", "half", "garbage"])
def test_a_power_cut_tears_the_operation_it_meets(device: Device, mode: str) -> None:
    device.write("main.py", FLASH + "part.writeblocks(0, b'\\x00' * 64, 0)\nprint('never')\n")
    last = device.run(cut=(1, mode))
    assert (last["reason"], last["operation"], last["lines"]) == ("power_cut", "program", [])
    held = device.flash.read_bytes()[:64]
    wanted = {"atomic": [b"\xff" * 64], "half": [b"\x00" * 32 + b"\xff" * 32]}
    if mode == "garbage":
        assert len(set(held)) > 8
    else:
        assert held in wanted[mode]
    assert device.flash.read_bytes()[64:] == b"\xff" * (65536 - 64)


def test_what_survives_a_reset_and_what_a_power_cut(device: Device) -> None:
    device.write(
        "main.py",
        "import machine, esp32, os\n"
        "nvs = esp32.NVS('carbontally')\n"
        "try:\n"
        "    count = nvs.get_i32('boots')\n"
        "except OSError:\n"
        "    count = 0\n"
        "files = sorted(os.listdir('/data'))\n"
        "print(count, machine.reset_cause(), machine.RTC().memory(), files)\n"
        "nvs.set_i32('boots', count + 1)\n"
        "nvs.commit()\n"
        "nvs.set_i32('boots', 99)\n"
        "machine.RTC().memory(b'warm')\n"
        "with open('/data/closed', 'w') as file: file.write('1')\n"
        "os.rename('/data/closed', '/data/done')\n"
        "left_open = open('/data/torn', 'w')\n"
        "left_open.write('2')\n"
        "machine.soft_reset() if count else machine.Pin(2).value()\n"
        "import time\n"
        "time.sleep(100)\n",
    )
    device.write("data/kept", "x")
    with device.power_on() as run:
        run.wait_line("0")
        run.command("cut")
        assert run.wait_end()["reason"] == "power_cut"
    assert run.lines == ["0 1 b'' ['kept']"]
    last = device.run()
    assert last["lines"] == ["1 1 b'' ['done', 'kept']"] and device.cause == SOFT_RESET
    assert device.run()["lines"] == [f"2 {SOFT_RESET} b'warm' ['done', 'kept']"]


def test_the_watchdog_bites_a_program_that_hangs(device: Device) -> None:
    device.write(
        "main.py",
        "import machine, time\n"
        "print(machine.reset_cause())\n"
        "dog = machine.WDT(timeout=8000)\n"
        "while True:\n"
        "    dog.feed()\n"
        "    time.sleep_ms(500)\n",
    )
    with device.power_on(clock=VIRTUAL) as run:
        run.wait_line("1")
        run.command("hang")
        last = run.wait_end()
    assert last["reason"] == "watchdog"
    device.cause = WATCHDOG_RESET
    assert device.run(clock=VIRTUAL, stop_after_ms=HOUR_MS)["lines"] == [f"{WATCHDOG_RESET}"]


def test_virtual_time_is_exact_and_ticks_wrap(device: Device) -> None:
    device.write(
        "main.py",
        "import time, machine\n"
        "start = time.ticks_ms()\n"
        "time.sleep(5)\n"
        "print(time.ticks_ms() < start, time.ticks_diff(time.ticks_ms(), start))\n"
        "before = time.ticks_us()\n"
        "time.sleep_us(1500)\n"
        "print(time.ticks_diff(time.ticks_us(), before), time.time(), time.gmtime())\n"
        "machine.RTC().datetime((2026, 3, 1, 0, 12, 30, 0, 0))\n"
        "print(time.time(), time.gmtime()[:6], time.mktime((2000, 1, 1, 0, 0, 0, 0, 0)))\n",
    )
    last = device.run(clock={**VIRTUAL, "ticks_start_ms": TICKS_PERIOD_MS - 2000})
    assert last["lines"] == [
        "True 5000",
        "1500 5 (2000, 1, 1, 0, 0, 5, 5, 1)",
        "825683400 (2026, 3, 1, 12, 30, 0) 0",
    ]


def test_how_a_program_failed_is_told(device: Device) -> None:
    device.write("boot.py", "print('boot')\n")
    device.write("main.py", "def run():\n    {}['absent']\nrun()\n")
    last = device.run()
    assert last["lines"] == ["boot"] and last["reason"] == "exception"
    assert "line 2, in run" in last["traceback"] and "KeyError: absent" in last["traceback"]


def test_a_program_that_never_waits_is_ended_from_outside(device: Device) -> None:
    device.write("main.py", "while True: pass\n")
    with pytest.raises(AssertionError, match="still running"):
        device.run(deadline_s=1)


def test_connections_fail_as_on_the_board(device: Device) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        device.write(
            "main.py",
            "import socket, select, time\n"
            "def attempt(call):\n"
            "    try:\n"
            "        print(call())\n"
            "    except OSError as error:\n"
            "        print(error.errno)\n"
            f"open = socket.socket()\nopen.connect(('127.0.0.1', {port}))\n"
            "open.settimeout(0.05)\n"
            "attempt(lambda: open.recv(1))\n"
            "open.setblocking(False)\n"
            "attempt(lambda: open.recv(1))\n"
            "attempt(lambda: open.read(1))\n"
            "sent = 0\n"
            "while True:\n"
            "    try:\n"
            "        sent += open.send(b'x' * 4000)\n"
            "    except OSError as error:\n"
            "        print(error.errno, sent >= 5760)\n"
            "        break\n"
            "late = socket.socket()\nlate.setblocking(False)\n"
            f"attempt(lambda: late.connect(('127.0.0.1', {port})))\n"
            "poller = select.poll()\npoller.register(late, select.POLLOUT)\n"
            "print(poller.poll(2000)[0][1])\n"
            "attempt(lambda: socket.socket().send(b'x'))\n"
            "attempt(lambda: socket.socket().connect(('127.0.0.1', 9)))\n",
        )
        lines = device.run()["lines"]
    assert lines == ["116", "11", "None", "11 True", "119", "4", "128", "111"]


def test_a_network_that_went_is_silent(device: Device) -> None:
    device.write(
        "main.py",
        "import network, socket, time\n"
        "wlan = network.WLAN(network.STA_IF)\nwlan.active(True)\nwlan.connect('a', 'b')\n"
        "print(wlan.isconnected())\n"
        "while wlan.isconnected(): time.sleep_ms(10)\n"
        "try:\n"
        "    socket.socket().connect(('127.0.0.1', 9))\n"
        "except OSError as error:\n"
        "    print(error.errno)\n",
    )
    with device.power_on() as run:
        run.wait_line("True")
        run.command("network", up=False)
        assert run.wait_end()["reason"] == "finished"
    assert run.lines == ["True", "118"]


def test_datagrams(device: Device) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)

        def echo() -> None:
            data, sender = server.recvfrom(100)
            server.sendto(data[::-1], sender)

        thread = threading.Thread(target=echo)
        thread.start()
        device.write(
            "main.py",
            "import socket\n"
            "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "one.settimeout(5)\n"
            f"one.sendto(b'abc', ('127.0.0.1', {server.getsockname()[1]}))\n"
            "print(one.recvfrom(48)[0])\n",
        )
        assert device.run()["lines"] == ["b'cba'"]
        thread.join()
