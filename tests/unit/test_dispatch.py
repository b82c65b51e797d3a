"""The command `carbontally`: verbs, languages, exit statuses, and what the runtime imports."""

import json
import subprocess
import sys

import pytest

from edge.__main__ import VERBS, language, main


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
    )


def test_help_lists_every_verb(capsys):
    assert main(["help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {verb} " in text for verb in VERBS)


def test_nothing_asked_is_a_usage_error(capsys):
    assert main([]) == 2
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize("verb", list(VERBS))
def test_each_verb_explains_itself(verb):
    done = run(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_a_misspelt_verb_names_the_nearest(capsys):
    assert main(["recieve"]) == 2
    text = capsys.readouterr().err
    assert "error[usage.unknown_verb]" in text and "did you mean receive?" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["receive", "--store", "x"], "error[usage.missing]: --broker is missing: mqtt://"),
        (["names"], "error[usage.missing]: MAP_FILE is missing: names.json"),
        (["gaps", "--nonsense"], "error[usage.options]: the options are not understood: No such"),
        (["gaps", "--store"], "error[usage.options]: the options are not understood: "),
        (["gaps", "--store", "x", "too"], "error[usage.options]: the options are not understood"),
        (["build", "esp33", "-b", "x", "-c", "y", "-o", "z"], "error[usage.options]: "),
    ],
)
def test_options_that_are_wrong_are_told_like_any_other_error(words, said, capsys, monkeypatch):
    for name in ("CARBONTALLY_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert main(words) == 2
    text = capsys.readouterr().err
    assert text.startswith(said) and "\nnext: " in text
    monkeypatch.setenv("CARBONTALLY_LANG", "zh")
    assert main(words) == 2
    text = capsys.readouterr().err
    assert "\n下一步：" in text
    assert "缺少 " in text if "usage.missing" in said else "无法理解所给选项" in text


@pytest.mark.parametrize("verb", list(VERBS))
def test_each_verb_says_its_errors_as_one_object_too(verb, capsys):
    assert main([verb, "--json", "--nonsense"]) == 2
    done = capsys.readouterr()
    (line,) = done.out.splitlines()
    told = json.loads(line)
    assert told["event"] == "error" and told["status"] == 2
    assert told["code"].startswith("usage.") and told["text"] and told["next"]
    assert done.err.startswith(f"error[{told['code']}]: ")


def test_an_object_of_an_error_has_its_fields(capsys):
    assert main(["status", "-c", "nowhere.toml", "--json"]) == 78
    told = json.loads(capsys.readouterr().out)
    assert (told["code"], told["status"]) == ("config.file", 78)
    assert told["fields"] == {"file": "nowhere.toml", "reason": "No such file or directory"}
    assert main(["status", "-c", "nowhere.toml"]) == 78
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["run"], ["run", "--nonsense"], ["run", "-c", "x", "too"]])
def test_the_lean_verb_refuses_options_like_any_other(words, capsys, monkeypatch):
    monkeypatch.setenv("CARBONTALLY_LANG", "en")
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error[usage.options]: ") and "\nnext: " in said


def test_a_terminal_that_lacks_characters_gets_their_numbers():
    done = run("profiles", "show", "zetian_cems_hebei", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\\u6cfd" in done.stdout


def test_errors_speak_chinese_when_the_environment_does():
    done = run("run", "-c", "nowhere.toml", CARBONTALLY_LANG="zh_CN.UTF-8", PYTHONUTF8="1")
    assert done.returncode == 78
    assert "检查路径" in done.stderr


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8", "CARBONTALLY_LANG": "zh"}, "zh"),
    ],
)
def test_language_follows_the_environment(monkeypatch, environment, expected):
    for name in ("LANG", "LC_ALL", "LC_MESSAGES", "CARBONTALLY_LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_the_runtime_imports_no_extra():
    program = (
        "import sys; from edge.__main__ import main; main(['run', '-c', 'nowhere.toml']);"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'typer', 'rich', 'paho', 'amqtt', 'click', 'asyncio', 'jsonschema'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert "error[config.file]" in done.stderr


def test_what_only_crash_images_need_is_named_when_they_are_asked_for():
    def soak(*arguments):
        program = (
            "import sys; sys.modules['apsw'] = None; from edge.__main__ import main;"
            f"sys.exit(main(['soak', *{arguments!r}]))"
        )
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert soak("--runs", "1", "--days", "1", "--seed", "1").returncode == 0
    done = soak("--crash-images", "5")
    assert done.returncode == 2
    assert "error[usage.missing_extra]" in done.stderr and "extra test" in done.stderr


def test_a_missing_extra_is_named():
    program = (
        "import sys; sys.modules['typer'] = None; from edge.__main__ import main;"
        "sys.exit(main(['receive', '--help']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "error[usage.missing_extra]" in done.stderr and "typer" in done.stderr
    assert "pip install '.[cli]'" in done.stderr
