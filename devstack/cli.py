"""Command line of the local stack: up, down, status, logs, clean, env, demo."""

from __future__ import annotations

import argparse
import importlib
import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from devstack.environment import environment
from devstack.errors import StackError
from devstack.home import remove_home
from devstack.logs import last_lines
from devstack.progress import ConsoleProgress, SilentProgress
from devstack.schema_step import apply_schema
from devstack.settings import REPOSITORY, Secrets, StackSettings
from devstack.stack import Stack
from devstack.status import all_ready, as_json, print_statuses, statuses

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

EXIT_CODES = """\
exit codes: 0 done, 1 it could not be done (one sentence says why; for status: not everything runs), 2 wrong usage,
130 interrupted
"""

# Without a terminal rich assumes 80 columns, which breaks the table of `status` in a file or a pipe.
console = Console() if sys.stdout.isatty() else Console(width=120)
error_console = Console(stderr=True)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m devstack",
        description="The whole platform on this machine: private servers on 127.0.0.1, data in one folder.",
        epilog=EXIT_CODES + "\nsettings, each an environment variable:\n" + _settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="command")

    up = commands.add_parser("up", help="start what does not run yet and wait until it is ready")
    up.add_argument("service", nargs="*", help="only these and what they need; all if none is named")
    up.set_defaults(run=command_up)

    down = commands.add_parser("down", help="stop what this stack started")
    down.add_argument("service", nargs="*", help="only these; all if none is named")
    down.set_defaults(run=command_down)

    status = commands.add_parser("status", help="what runs, where, how much memory; exit code 0 only if all runs")
    status.add_argument("--json", action="store_true", help="for machines")
    status.set_defaults(run=command_status)

    logs = commands.add_parser("logs", help="show and follow the logs")
    logs.add_argument("service", nargs="*", help="only these; all if none is named")
    logs.add_argument("--lines", type=int, default=20, help="lines of each log to begin with (default: 20)")
    logs.add_argument("--no-follow", action="store_true", help="print them and end")
    logs.set_defaults(run=command_logs)

    clean = commands.add_parser("clean", help="stop everything and delete all data of the local stack")
    clean.add_argument("--yes", action="store_true", help="do not ask")
    clean.set_defaults(run=command_clean)

    env = commands.add_parser("env", help='variables for a shell: eval "$(python -m devstack env)"')
    env.add_argument("--json", action="store_true", help="for machines")
    env.set_defaults(run=command_env)

    demo = commands.add_parser("demo", help="run the platform's main job on the synthetic world", add_help=False)
    demo.set_defaults(run=command_demo)
    return top


def _settings_help() -> str:
    lines = []
    for name, field in StackSettings.model_fields.items():
        default = "" if field.default_factory else f" (default: {field.default or 'empty'})"
        lines.append(f"  STIR_STACK_{name.upper():<28} {field.description}{default}")
    return "\n".join(lines)


def command_up(settings: StackSettings, arguments: argparse.Namespace) -> int:
    with ConsoleProgress(console) as progress:
        stack = Stack(settings, progress)
        started = stack.up(arguments.service)
        apply_schema(settings, stack.secrets, stack.wanted(arguments.service), progress)
    if not started:
        console.print("Everything runs already.")
    if not arguments.service:
        api = stack.services["airflow-api"].address
        console.print(
            f"\nAirflow: {api}  user and password: make status\n"
            'Variables for this shell: eval "$(.venv/bin/python -m devstack env)"',
            highlight=False,
        )
    return 0


def command_down(settings: StackSettings, arguments: argparse.Namespace) -> int:
    if not settings.home.exists():
        console.print("Nothing runs.")
        return 0
    with ConsoleProgress(console) as progress:
        stopped = Stack(settings, progress).down(arguments.service)
    if not stopped:
        console.print("Nothing runs.")
    return 0


def command_status(settings: StackSettings, arguments: argparse.Namespace) -> int:
    if not settings.home.exists() and not arguments.json:
        console.print("Nothing runs: `make up` starts the stack, `make demo` fills it too.", highlight=False)
        return EXIT_FAILED
    stack = Stack(settings, SilentProgress())
    if arguments.json:
        found = statuses(stack)
        print(json.dumps(as_json(stack, found), indent=2))
        return 0 if all_ready(found) else EXIT_FAILED
    return 0 if print_statuses(stack, console) else EXIT_FAILED


def command_logs(settings: StackSettings, arguments: argparse.Namespace) -> int:
    if arguments.service:
        Stack(settings, SilentProgress()).wanted(arguments.service)
    logs = sorted(settings.logs.glob("*.log"))
    chosen = [log for log in logs if not arguments.service or log.stem in arguments.service]
    if not chosen:
        raise StackError(f"There are no logs in {settings.logs} yet: start the stack with `make up`.")
    if not arguments.no_follow:
        # tail shows several files under headings and follows them over a rotation.
        subprocess.run(["tail", "-n", str(arguments.lines), "-F", *map(str, chosen)], check=False)
        return 0
    for log in chosen:
        print(f"==> {log} <==")
        print("\n".join(last_lines(log, arguments.lines)), end="\n\n")
    return 0


def command_clean(settings: StackSettings, arguments: argparse.Namespace) -> int:
    if not settings.home.exists():
        remove_what_dbt_wrote()
        console.print(f"There is nothing in {settings.home}.", highlight=False)
        return 0
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise StackError("`clean` deletes all data of the local stack and has nobody to ask: give --yes.")
        question = f"Delete all data of the local stack in {settings.home.resolve()}? [y/N] "
        if console.input(question, markup=False).strip().lower() not in ("y", "yes"):
            console.print("Nothing was deleted.")
            return EXIT_FAILED
    command_down(settings, argparse.Namespace(service=[]))
    remove_home(settings)
    remove_what_dbt_wrote()
    console.print(f"{settings.home} is deleted.", highlight=False)
    return 0


def remove_what_dbt_wrote() -> None:
    """Delete what a dbt that was run by hand left beside its project; dbt makes it again."""
    for folder in ("target", "logs"):
        shutil.rmtree(REPOSITORY / "gcc_social" / folder, ignore_errors=True)


def command_env(settings: StackSettings, arguments: argparse.Namespace) -> int:
    if not Secrets.path(settings).exists():
        raise StackError(f"There is no stack in {settings.home}: `make up` makes and starts it.")
    Stack(settings, SilentProgress())
    values = environment(settings, Secrets.load_or_create(settings))
    # Not beside the project, which tiers copy. Tiers themselves have a folder of their own for each run.
    values["DBT_TARGET_PATH"] = str(settings.home.resolve() / "dbt" / "target")
    values["DBT_LOG_PATH"] = str(settings.home.resolve() / "dbt" / "logs")
    values["PYTHONPATH"] = f"{REPOSITORY}:{REPOSITORY / 'plugins'}"  # for `python -m stir.serving` from any folder
    if arguments.json:
        print(json.dumps(values, indent=2))
    else:
        for name, value in values.items():
            print(f"export {name}={shlex.quote(value)}")
    return 0


def command_demo(settings: StackSettings, arguments: argparse.Namespace) -> int:
    """Hand over to `devstack.demo.main(arguments)`, which returns the exit code."""
    return importlib.import_module("devstack.demo").main(arguments.rest)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options, rest = parser().parse_known_args(given)
    if rest and options.command != "demo":
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return options.run(StackSettings(), options)
    except StackError as error:
        error_console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        return EXIT_FAILED
    except (ValidationError, SettingsError) as error:
        error_console.print(_settings_sentence(error), style="red", highlight=False, markup=False, soft_wrap=True)
        return EXIT_USAGE
    except KeyboardInterrupt:
        error_console.print("Interrupted.", style="red")
        return EXIT_INTERRUPTED


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _settings_sentence(error: ValidationError | SettingsError) -> str:
    if isinstance(error, SettingsError):
        return f"A STIR_STACK_ variable cannot be read: {error}"
    first = error.errors()[0]
    name = "_".join(str(part) for part in first["loc"][:1]).upper()
    return f"STIR_STACK_{name} is wrong: {first['msg']} (got {first['input']!r})."
