"""The command line of `dlq`: help, wrong usage, and servers or queues that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from event_sinker.main import main
from tests.event_sinker.dead_letters import DEAD_QUEUE, bury
from tests.event_sinker.dlq_command import run_dlq
from tests.fault.dlq_process import start_dlq
from tests.fault.sinker_process import SinkerWorld


@pytest.mark.integration
def test_what_is_not_there_is_named(world: SinkerWorld, tmp_path: Path) -> None:
    with world.connection() as connection:
        connection.channel().queue_delete(DEAD_QUEUE)
    for command in (
        ["list", "profile_log"],
        ["show", "profile_log"],
        ["replay", "profile_log"],
        ["export", "profile_log", "--to", str(tmp_path / "letters.jsonl")],
        ["purge", "profile_log", "--yes"],
    ):
        away = run_dlq(world, *command, rabbitmq_port=1)
        assert away.returncode == 3, command
        assert "RabbitMQ at 127.0.0.1:1: " in away.stderr
        missing = run_dlq(world, *command)
        assert missing.returncode == 3, command
        assert f"queue {DEAD_QUEUE} is declared by `run`" in missing.stderr


@pytest.mark.integration
def test_a_process_ends_with_the_exit_code_and_one_sentence(world: SinkerWorld) -> None:
    """The other tests call the command line inside their own process."""
    bury(world, [b"{"])
    for changes, code, said_out, said_err in (
        ({}, 4, "replayed 0, already stored 0, still dead 1, left 0", ""),
        ({"rabbitmq_port": 1}, 3, "", "RabbitMQ at 127.0.0.1:1: "),
    ):
        process = start_dlq(world, "replay", "profile_log", **changes)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert said_out in out
        assert said_err in err
        assert "Traceback" not in err


@pytest.mark.unit
@pytest.mark.parametrize("command", ["list", "show", "replay", "export", "purge"])
def test_help_has_an_example_and_a_sentence_per_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dlq", command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"example: python -m event_sinker dlq {command}" in text
    for line in text.splitlines():
        if line.lstrip().startswith("--"):
            following = text.split(line, 1)[1].lstrip("\n").split("\n", 1)[0]
            assert "  " in line.strip() or following.startswith(" " * 10), f"no help for {line}"


@pytest.mark.unit
def test_replay_help_says_where_its_promise_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dlq", "replay", "--help"])
    assert "may have no id (launch_refer)" in capsys.readouterr().out


@pytest.mark.unit
@pytest.mark.parametrize(
    "arguments",
    [
        ["purge", "profile_log", "--older-than", "soon"],
        ["show", "profile_log", "xyz"],
        ["replay", "profile_log", "--limit", "0"],
        ["replay", "no_such_type"],
        ["export", "profile_log"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dlq", *arguments])
    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err or arguments[0] == "export"
