"""What the demonstration refuses, and what it says when it fails."""

import pytest

from edge.core.errors import TallyError
from hil_tests.demo.broker import free_port
from hil_tests.demo.cli import _kept
from hil_tests.test_demo import run_demo


def test_a_speed_at_which_moves_look_impossible_is_refused():
    done = run_demo("--speed", "3600", "--seconds", "5")
    assert done.returncode == 2 and "--speed" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--broker", "99999"), ("--broker", "0"), ("--start", "25:61")]
)
def test_a_value_that_cannot_be_is_wrong_use(option, value, tmp_path):
    done = run_demo(option, value, "--seconds", "5", "--dir", str(tmp_path))
    assert done.returncode == 2
    assert f"error[usage.value]: {option} is {value}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_broker_that_is_not_there_is_said(tmp_path):
    port = free_port()
    done = run_demo("--broker", str(port), "--seconds", "5", "--dir", str(tmp_path))
    assert done.returncode == 69
    assert f"error[sync.offline]: the broker 127.0.0.1:{port} cannot be reached" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_failed_demonstration_says_where_its_databases_are(tmp_path, capsys):
    with pytest.raises(TallyError), _kept(tmp_path, is_ours=True):
        raise TallyError("demo.verdict", lost=1, duplicated=0, wrong=0)
    assert f"kept in {tmp_path}" in capsys.readouterr().err
    with pytest.raises(TallyError), _kept(tmp_path, is_ours=False):
        raise TallyError("demo.verdict", lost=1, duplicated=0, wrong=0)
    assert capsys.readouterr().err == ""
