"""Commands, options and their help."""

from __future__ import annotations

import argparse
from typing import TypeAlias

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

A RUN is a run's id. The workspace is --workspace, else the one that config.json names here or in a
folder above, else your only one.

Exit codes: 0 done, 1 it could not be done or the run that was followed did not complete, 2 wrong usage,
130 interrupted. With --json an error is {"error": {"code", "message"}} on standard output."""

SUBMIT = """\
Send a folder to the server and run its script (or a command) there. What .amlignore, else .gitignore
lists stays here. Everything after -- goes to the script:

  atelier submit . --script train.py --requirements requirements.txt -- --rate 0.1
  atelier submit src --script train.py --environment AzureML-Minimal --compute cluster --follow
  atelier submit . --experiment sizes --command "python train.py && python check.py" """


LOGS = """\
Show a run's log, or follow it until the run has ended; then the exit code is the run's (0: Completed).

  atelier logs RUN                                what the script has printed so far
  atelier logs RUN -f                             every log as it comes, then a summary
  atelier logs RUN -f --file logs/progress.txt    one log as it comes
  atelier logs RUN --list                         which logs there are"""

LIST = """\
The newest runs of the workspace, or of an experiment; with --metric as columns, best first with --order.

  atelier runs list -e diabetes -m auc --order -metric:auc -n 5
  atelier runs list --status Failed --json | jq -r '.[].id'"""

DOWNLOAD = """\
Fetch a run's files and logs into a folder, under their own paths; prints where each went.

  atelier runs download RUN                       everything
  atelier runs download RUN outputs --to results  what is below outputs/"""


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _some(text: str) -> int:
    """A number of things, at least one."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


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
    _logs(commands, [common, placed], raw)
    _runs(commands, [common, placed], raw)
    return parser


def _account(commands: Commands, common: argparse.ArgumentParser) -> None:
    login = commands.add_parser(
        "login", parents=[common], help="sign in to a server", description=account.login.__doc__
    )
    login.add_argument("--url", help="the server's address (default: ATELIER_URL, else the last one)")
    login.add_argument("--token", help="a personal token (default: asked for, not shown); - reads standard input")
    login.set_defaults(run=account.login)
    who = commands.add_parser(
        "whoami", parents=[common], help="which server, which account, which workspaces",
        description="Ask the server whose token this is, and which workspaces it may use in which role.",
    )  # fmt: skip
    who.set_defaults(run=account.whoami)
    spool = commands.add_parser(
        "spool", parents=[common], help="deliver metrics that were logged while the server was away",
        description="Send the metrics that wait on this machine because the server was away, or because a token had "
        "expired. What was delivered is removed; doing it twice does no harm.",
    )  # fmt: skip
    spool.add_argument("folder", nargs="?", help="the spool (default: ATELIER_SPOOL_DIR, else ~/.cache/atelier/spool)")
    spool.set_defaults(run=account.spool)


def _submit(commands: Commands, parents: list[argparse.ArgumentParser], raw: type[argparse.HelpFormatter]) -> None:
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


def _logs(commands: Commands, parents: list[argparse.ArgumentParser], raw: type[argparse.HelpFormatter]) -> None:
    logs = commands.add_parser("logs", parents=parents, help="show a run's log", description=LOGS, formatter_class=raw)
    logs.add_argument("run_id", metavar="RUN")
    logs.add_argument("-f", "--follow", action="store_true", help="stay until the run is final")
    logs.add_argument("--file", metavar="PATH", help="this log (default: the driver's; --list names them)")
    logs.add_argument("--list", action="store_true", help="name the run's logs")
    logs.set_defaults(run=runs.logs)
    page = commands.add_parser(
        "open", parents=parents, help="open a run's or the workspace's page in the browser",
        description="Open a page in the browser of this machine, and print its address. With --json nothing is opened.",
    )  # fmt: skip
    page.add_argument("run_id", metavar="RUN", nargs="?", help="a run (default: the workspace)")
    page.add_argument("--print", action="store_true", help="only print the address")
    page.set_defaults(run=runs.open_page)


def _runs(commands: Commands, parents: list[argparse.ArgumentParser], raw: type[argparse.HelpFormatter]) -> None:
    group = commands.add_parser("runs", help="list, show, cancel and download runs", parents=parents[:1])
    group.set_defaults(parser=group)
    verbs = group.add_subparsers(title="commands", metavar="COMMAND")
    listing = verbs.add_parser("list", parents=parents, help="the newest runs", description=LIST, formatter_class=raw)
    listing.add_argument("-e", "--experiment", help="of this experiment")
    listing.add_argument("--status", help="in this state, for example Running")
    listing.add_argument("-t", "--tag", action="append", default=[], metavar="KEY[=VALUE]", help="with this tag")
    listing.add_argument("-m", "--metric", action="append", default=[], help="show this metric; may be repeated")
    listing.add_argument("--order", help="created_at, -created_at, metric:NAME or -metric:NAME (default: -created_at)")
    listing.add_argument("--children", action="store_true", help="child runs too")
    listing.add_argument("-n", "--limit", type=_some, metavar="N", default=20, help="at most this many (default: 20)")
    listing.set_defaults(run=runs.list_runs)
    show = verbs.add_parser(
        "show", parents=parents, help="state, metrics, tags, files and error of a run",
        description="State, times, tags, metrics (the last values), files and the error of a run.",
    )  # fmt: skip
    show.add_argument("run_id", metavar="RUN")
    show.set_defaults(run=runs.show)
    cancel = verbs.add_parser(
        "cancel", parents=parents, help="stop runs",
        description="Ask for runs to stop; what they have saved is kept. A run that has ended stays as it is.",
    )  # fmt: skip
    cancel.add_argument("run_ids", metavar="RUN", nargs="+")
    cancel.add_argument("--wait", action="store_true", help="until they have stopped")
    cancel.set_defaults(run=runs.cancel)
    download = verbs.add_parser(
        "download", parents=parents, help="fetch a run's files", description=DOWNLOAD, formatter_class=raw
    )
    download.add_argument("run_id", metavar="RUN")
    download.add_argument("prefix", nargs="?", help="a file, or the folder they are below (default: all)")
    download.add_argument("--to", default=".", metavar="FOLDER", help="where to (default: here)")
    download.set_defaults(run=runs.download)
