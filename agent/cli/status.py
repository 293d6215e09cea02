"""`status`: the whole agent at a glance."""

from typing import TYPE_CHECKING

import typer

from agent.cli import style, times
from agent.cli.answers import StatusAnswer
from agent.cli.session import Json, session
from agent.cli.terminal import console, put, safe, say_json
from agent.cli.typed import typed
from agent.config.counted import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NAMES = 6


_LATE = 1.0
"""Seconds; decisions that are further behind than that are worth a word."""


def status(ctx: typer.Context, as_json: Json = False) -> None:
    """How the running agent is doing: incidents, checks, treatments, tickets, record."""
    found: StatusAnswer = session(ctx).agent.get("status")
    if as_json:
        say_json(found)
        return
    from rich.table import Table
    from rich.text import Text

    out = console()
    print_exercises(out, found)
    troubled = bool(found["commit_error"])
    head = Text("● ", "red" if troubled else "green").append(f"paramedic {safe(found['version'])}", style="bold")
    out.print(head.append(f"  process {found['pid']}, up {times.span(found['now'] - found['started_at'])}", "default"))
    for one in found["emergencies"]:
        from agent.cli.emergency_text import headline, standing

        out.print()
        out.print(headline(one["activation"], found["now"]).append(f"  {safe(one['activation']['title'])}", "bold"))
        for line in standing(one, found["now"]):
            out.print(line, soft_wrap=True)
        out.print(Text(f"           more: {safe(typed('plan status', one['activation']['id']))}", style.LABEL))
    if found["emergencies"]:
        out.print()
    table = Table.grid(padding=(0, 2, 0, 2))
    table.add_column(style=style.LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in (
        ("treatment", _treatment(found)),
        ("incidents", _incidents(found)),
        ("checks", _checks(found)),
        ("schedule", _schedule(found)),
        ("neighbours", _neighbours(found)),
        ("decisions", _decisions(found)),
        ("tickets", _tickets(found)),
        *_messages(found),
        ("record", _record(found)),
        ("config", _config(found)),
        ("you", Text(safe(f"{found['you']['user']}, {found['you']['role']}"))),
    ):
        table.add_row(label, text)
    put(out, table)
    if found["incidents"]:
        from agent.cli.incident_table import incident_table

        out.print()
        newest_first = sorted(found["incidents"], key=lambda one: one["opened_at"], reverse=True)
        put(out, incident_table(newest_first, found["now"], out.width, found["executions"]))


def print_exercises(out: "Console", found: StatusAnswer) -> None:
    """A line for each drill under way: what stands below it may be the drill's."""
    from rich.text import Text

    for one in found["exercises"]:
        on = f", on {', '.join(one['hosts'])}" if one["hosts"] else ""
        since = times.span(max(0.0, found["now"] - one["since"]))
        said = f"EXERCISE {one['id']} {one['title']} ({one['actor']}){on}, for {since}"
        if one["checks"]:
            said += ": what its checks say of it is the drill's"
        if one["preempted_by"]:
            said += f"; it must give way to {one['preempted_by']}"
        out.print(Text(safe(said), "bold yellow"), soft_wrap=True)


def _config(found: StatusAnswer) -> "Text":
    from rich.text import Text

    text = Text(safe(found["config"]))
    if changed := found["changed_runbooks"]:
        names = ", ".join(changed[:_NAMES]) + (f" and {len(changed) - _NAMES} more" if len(changed) > _NAMES else "")
        said = f"; changed on disk since loaded, not used before {typed('reload')}: {names}"
        text.append(safe(said), "yellow")
    return text


def _treatment(found: StatusAnswer) -> "Text":
    from rich.text import Text

    freeze = found["freeze"]
    text = Text()
    if freeze:
        when = times.span(max(0.0, found["now"] - freeze["since"]))
        text.append(f"FROZEN for {when} by {safe(freeze['actor'])}: {safe(freeze['reason'])}", "bold yellow")
    for run in found["executions"]:
        where = ", ".join(f"{one['host']} {one['phase']}" for one in run["runs"] if one["outcome"] is None)
        on = f" for {run['incident']}" if run["incident"] else f" by {run['actor']}"
        text.append("\n" if text else "").append(safe(f"{run['id']} {run['runbook']}{on}: {where}"), "cyan")
    return text or Text("nothing under way")


def _incidents(found: StatusAnswer) -> "Text":
    from rich.text import Text

    if not found["incidents"]:
        return Text("none open", "green")
    phases = [one["phase"] for one in found["incidents"]]
    parts = [f"{phases.count(phase)} {phase}" for phase in style.PHASE if phase in phases]
    return Text(f"{len(phases)} open: {', '.join(parts)}")


def _checks(found: StatusAnswer) -> "Text":
    from rich.text import Text

    text = Text(f"{found['checks']} on {counted(found['hosts'], 'host')}")
    for name in (*style.VERDICT, "unconfirmed"):
        if count := found["verdicts"].get(name):
            text.append("; " if name == "OK" else ", ").append(f"{count} {name}", style.VERDICT.get(name, ""))
    if found["blind"]:
        text.append(f"; {found['blind']} cannot be asked", "magenta")
    return text


def _schedule(found: StatusAnswer) -> "Text":
    from rich.text import Text

    schedule = found["schedule"]
    text = Text(
        f"{counted(schedule['probes'], 'asking')}; asked late by {times.span(schedule['lag_average'])} on average,"
        f" {times.span(schedule['lag_worst'])} at worst"
    )
    if schedule["late"]:
        text.append(f"; {schedule['late']} came due while the one before was not over", "yellow")
    if schedule["waiting"]:
        text.append(f"; waiting for a worker: {schedule['waiting']}", "yellow")
    if schedule["hanging"]:
        text.append(safe(f"; hanging: {', '.join(schedule['hanging'])}"), "red")
    return text


def _decisions(found: StatusAnswer) -> "Text":
    from rich.text import Text

    decisions = found["decisions"]
    text = Text(f"committed {times.span(decisions['worst'])} after the event at worst")
    if decisions["behind"] > _LATE:
        text.append(f"; {times.span(decisions['behind'])} behind, {decisions['waiting']} events wait", "red")
    if decisions["superseded"]:
        text.append(f"; {counted(decisions['superseded'], 'answer')} out of date before decided", "yellow")
    return text


def _neighbours(found: StatusAnswer) -> "Text":
    """The ticket system has a line of its own."""
    from rich.text import Text

    known = [one for one in found["neighbours"] if one["name"] != "tickets"]
    away = [one for one in known if one["state"] != "answers"]
    text = Text("none asked so far" if not known else f"{len(known) - len(away)} of {len(known)} answer")
    for one in away:
        now = found["now"]
        silent = times.span(max(0.0, now - one["since"])) if one["since"] is not None else "some time"
        text.append(f"\n{safe(one['name'])} has not answered for {silent}", "red")
        due = one["next_try"]
        text.append("; tried now" if due is None or due <= now else f"; tried again in {times.span(due - now)}")
        text.append(f"\n  {safe(one['why'] or '')}", style.LABEL)
    return text


def _tickets(found: StatusAnswer) -> "Text":
    from rich.text import Text

    tickets = found["tickets"]
    if not tickets["configured"]:
        return Text("no ticket system is configured", style.LABEL)
    if not tickets["files"]:
        not_filed = f": {counted(tickets['set_aside'], 'update')} not filed" if tickets["set_aside"] else ""
        return Text(f"no drill queue is configured (tickets: drill:){not_filed}", style.LABEL)
    if tickets["available"] is False:
        silent = "does not answer" if tickets["asked"] else "cannot be asked"
        text = Text(f"the ticket system {silent}", "red")
        if tickets["next_attempt"] is not None:
            text.append(f"; tried again in {times.span(max(0.0, tickets['next_attempt'] - found['now']))}", "default")
    elif tickets["available"]:
        text = Text("the ticket system answers")
    else:
        text = Text("no answer so far" if tickets["waiting"] else "nothing to tell so far")
    if tickets["waiting"]:
        since = tickets["waiting_since"]
        old = f", the oldest for {times.span(max(0.0, found['now'] - since))}" if since is not None else ""
        verb = "waits" if tickets["waiting"] == 1 else "wait"
        text.append(f"; {counted(tickets['waiting'], 'update')} {verb}{old}", "yellow")
    if tickets["set_aside"]:
        text.append(f"; refused and set aside: {tickets['set_aside']}", "red")
    if tickets["last_error"] and (tickets["available"] is False or tickets["waiting"] or tickets["set_aside"]):
        text.append(f"\n{safe(tickets['last_error'])}", style.LABEL)
    return text


def _messages(found: StatusAnswer) -> list[tuple[str, "Text"]]:
    """Nothing where there is nobody to send to."""
    from rich.text import Text

    messages = found["messages"]
    if not (messages["targets"] or messages["waiting"] or messages["given_up"]):
        return []
    text = Text(counted(messages["targets"], "target"))
    if messages["silent"]:
        text.append(safe(f"; nothing gets through to {', '.join(messages['silent'])}"), "red")
    if messages["waiting"]:
        since = messages["waiting_since"]
        old = f", the oldest for {times.span(max(0.0, found['now'] - since))}" if since is not None else ""
        verb = "waits" if messages["waiting"] == 1 else "wait"
        text.append(f"; {counted(messages['waiting'], 'message')} {verb}{old}", "yellow")
    if messages["given_up"]:
        text.append(f"; given up: {messages['given_up']}", "red")
    if messages["last_error"]:
        text.append(f"\n{safe(messages['last_error'])}", style.LABEL)
    return [("messages", text)]


def _record(found: StatusAnswer) -> "Text":
    from rich.text import Text

    if found["commit_error"]:
        return Text(safe(f"NOTHING CAN BE COMMITTED, so nothing is done: {found['commit_error']}"), "bold red")
    return Text(f"{counted(found['records'], 'entry')} in {safe(found['store'])}, head {safe(found['head'][:12])}…")
