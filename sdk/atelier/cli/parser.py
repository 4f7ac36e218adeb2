"""Commands, options and their help."""

from __future__ import annotations

import argparse

from atelier.cli import account, runs, submitting
from atelier.version import VERSION

DESCRIPTION = """\
Work with an Atelier server from the terminal.

  atelier login --url http://localhost:8000       sign in once; the token is kept for you alone
  atelier submit . --script train.py --follow     run a folder's script there and watch it
  atelier logs RUN -f                             follow a run's log
  atelier runs list --experiment diabetes         the newest runs
  atelier runs download RUN outputs --to results  fetch files
  atelier open RUN                                its page in the browser

A RUN is a run's id. The workspace is the one that config.json names here or in a folder above,
else --workspace, else your only one."""

SUBMIT = """\
Send a folder to the server and run its script (or a command) there. What .amlignore, else .gitignore
lists stays here. Everything after -- goes to the script:

  atelier submit . --script train.py --requirements requirements.txt -- --rate 0.1
  atelier submit src --script train.py --environment AzureML-Minimal --compute cluster --follow
  atelier submit . --experiment sizes --command "python train.py && python check.py" """


def build() -> argparse.ArgumentParser:
    """The parser; `run` of the parsed arguments is the function to call."""
    raw = argparse.RawDescriptionHelpFormatter
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="answer as JSON on standard output"
    )
    placed = argparse.ArgumentParser(add_help=False)
    placed.add_argument("-w", "--workspace", metavar="NAME", help="the workspace (default: that of config.json)")

    parser = argparse.ArgumentParser(prog="atelier", description=DESCRIPTION, formatter_class=raw, parents=[common])
    parser.add_argument("--version", action="version", version=f"atelier {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _account(commands, common)
    _submit(commands, [common, placed], raw)
    _logs(commands, [common, placed])
    _runs(commands, [common, placed])
    return parser


def _account(commands: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    login = commands.add_parser(
        "login", parents=[common], help="sign in to a server", description=account.login.__doc__
    )
    login.add_argument("--url", help="the server's address (default: ATELIER_URL, else the last one)")
    login.add_argument("--token", help="a personal token (default: asked for, not shown); - reads standard input")
    login.set_defaults(run=account.login)
    who = commands.add_parser("whoami", parents=[common], help="which server, which account, which workspaces")
    who.set_defaults(run=account.whoami)
    spool = commands.add_parser(
        "spool", parents=[common], help="deliver metrics that were logged while the server was away"
    )
    spool.add_argument("folder", nargs="?", help="the spool (default: ATELIER_SPOOL_DIR, else ~/.cache/atelier/spool)")
    spool.set_defaults(run=account.spool)


def _submit(
    commands: argparse._SubParsersAction, parents: list[argparse.ArgumentParser], raw: type[argparse.HelpFormatter]
) -> None:
    submit = commands.add_parser(
        "submit", parents=parents, help="run a folder's script on the server", description=SUBMIT, formatter_class=raw
    )
    submit.add_argument("folder", nargs="?", default=".", help="the source directory (default: .)")
    submit.add_argument("-s", "--script", help="the script, a path below the folder")
    submit.add_argument("--command", help="a shell command in place of a script")
    submit.add_argument("-e", "--experiment", help="the experiment (default: the folder's name)")
    submit.add_argument("-c", "--compute", default="local", help="the compute target (default: local)")
    submit.add_argument("--environment", metavar="NAME[:VERSION]", help="a registered or curated environment")
    submit.add_argument("--conda", metavar="FILE", help="a conda specification (YAML) to make the environment from")
    submit.add_argument("--requirements", metavar="FILE", help="a pip requirements file to make the environment from")
    submit.add_argument("--image", help="a base image, with --conda or --requirements or as it is")
    submit.add_argument("--name", help="the run's display name")
    submit.add_argument(
        "-t", "--tag", action="append", default=[], metavar="KEY[=VALUE]", help="a tag; may be repeated"
    )
    submit.add_argument(
        "--env", action="append", default=[], metavar="KEY=VALUE", help="an environment variable; may be repeated"
    )
    submit.add_argument("--max-seconds", type=int, metavar="N", help="end the run after this many seconds")
    submit.add_argument(
        "--nodes", type=int, default=1, metavar="N", help="nodes, with --processes under MPI (default: 1)"
    )
    submit.add_argument("--processes", type=int, metavar="N", help="processes per node under MPI")
    submit.add_argument("-f", "--follow", action="store_true", help="show the log and wait; the exit code is the run's")
    submit.set_defaults(run=submitting.submit)


def _logs(commands: argparse._SubParsersAction, parents: list[argparse.ArgumentParser]) -> None:
    logs = commands.add_parser("logs", parents=parents, help="show a run's log")
    logs.add_argument("run_id", metavar="RUN")
    logs.add_argument("-f", "--follow", action="store_true", help="stay until the run is final")
    logs.add_argument("--file", metavar="PATH", help="this log (default: the driver's; --list names them)")
    logs.add_argument("--list", action="store_true", help="name the run's logs")
    logs.set_defaults(run=runs.logs)
    page = commands.add_parser("open", parents=parents, help="open a run's or the workspace's page in the browser")
    page.add_argument("run_id", metavar="RUN", nargs="?", help="a run (default: the workspace)")
    page.add_argument("--print", action="store_true", help="only print the address")
    page.set_defaults(run=runs.open_page)


def _runs(commands: argparse._SubParsersAction, parents: list[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("runs", help="list, show, cancel and download runs", parents=parents[:1])
    group.set_defaults(parser=group)
    verbs = group.add_subparsers(title="commands", metavar="COMMAND")
    listing = verbs.add_parser("list", parents=parents, help="the newest runs")
    listing.add_argument("-e", "--experiment", help="of this experiment")
    listing.add_argument("--status", help="in this state, for example Running")
    listing.add_argument("-t", "--tag", action="append", default=[], metavar="KEY[=VALUE]", help="with this tag")
    listing.add_argument("-m", "--metric", action="append", default=[], help="show this metric; may be repeated")
    listing.add_argument("--order", help="created_at, -created_at, metric:NAME or -metric:NAME (default: -created_at)")
    listing.add_argument("--children", action="store_true", help="child runs too")
    listing.add_argument("-n", "--limit", type=int, default=20, help="at most this many (default: 20)")
    listing.set_defaults(run=runs.list_runs)
    show = verbs.add_parser("show", parents=parents, help="state, metrics, tags, files and error of a run")
    show.add_argument("run_id", metavar="RUN")
    show.set_defaults(run=runs.show)
    cancel = verbs.add_parser("cancel", parents=parents, help="stop runs")
    cancel.add_argument("run_ids", metavar="RUN", nargs="+")
    cancel.add_argument("--wait", action="store_true", help="until they have stopped")
    cancel.set_defaults(run=runs.cancel)
    download = verbs.add_parser("download", parents=parents, help="fetch a run's files")
    download.add_argument("run_id", metavar="RUN")
    download.add_argument("prefix", nargs="?", help="a file, or the folder they are below (default: all)")
    download.add_argument("--to", default=".", metavar="FOLDER", help="where to (default: here)")
    download.set_defaults(run=runs.download)
