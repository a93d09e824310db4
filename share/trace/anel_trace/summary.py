# summary.py: where the time of a run went, as text for a terminal.
# SPDX-License-Identifier: MIT
"""The waits by the place of their co_await, the longest run, and what each loop did."""

from .story import stories
from .words import duration

WIDTH = 100


def percentile(ordered, share):
    """The smallest value that `share` of all do not exceed."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def shorten(text, most):
    return text if len(text) <= most else text[:most - 1] + "…"


def table(rows):
    """Columns under the first row, which names them; the first is at the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths[0] = min(widths[0], WIDTH - sum(2 + width for width in widths[1:]))
    for row in rows:
        yield "  ".join([shorten(row[0], widths[0]).ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]).rstrip()


def waits(told, top):
    sites = {}
    for story in told:
        for wait in story.waits:
            lasted = story.lasted(wait)
            site = sites.setdefault((wait.place or "?", wait.what), ([], []))
            site[lasted is None].append(lasted)
    rows = []
    for (place, what), (ended, still) in sites.items():
        ended.sort()
        rows.append((sum(ended), len(ended), place, what, ended, len(still)))
    rows.sort(key=lambda row: (-row[0], -row[1], row[2:4]))
    shown = [("waits at", "count", "total", "p50", "p99", "max", "still")]
    for total, count, place, what, ended, still in rows[:top]:
        figures = ("", "", "", "") if not ended else (
            duration(total), duration(percentile(ended, 50)), duration(percentile(ended, 99)),
            duration(ended[-1]))
        shown.append((f"{place}  {what}", str(count), *figures, str(still) if still else ""))
    yield from table(shown)
    if len(rows) > top:
        yield f"and {len(rows) - top} more: --top {len(rows)}"


def task_name(story, number):
    return f"{story.tasks[number].name or 'task'} {number}"


def longest_run(told):
    ended = [(story.lasted(run), story, run) for story in told for run in story.runs
             if story.lasted(run) is not None]
    if not ended:
        return
    lasted, story, run = max(ended, key=lambda one: one[0])  # the first of equals
    way = run.place or "its begin"
    if run.wait and run.wait["place"]:
        way += f" to {run.wait['place']}"
    yield shorten(f"longest run without giving way: {duration(lasted)}, "
                  f"{task_name(story, run.task)} from {way}", WIDTH)


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def loop_row(story):
    spent = {True: 0, False: 0}
    ended = [sleep for sleep in story.sleeps if story.lasted(sleep) is not None]
    for sleep in ended:
        spent[sleep.asleep] += story.lasted(sleep)
    whole = story.at(len(story.events) - 1) - story.at(0)
    done = sum(sleep.done for sleep in ended)
    at_once = sum(1 for one in story.operations if one.at_once)
    name = f"{story.loop} {story.name}".strip() + f" ({story.backend})"
    return (name, str(len(story.sleeps)), f"{done / len(ended):.2f}" if ended else "-",
            str(at_once), str(len(story.operations) - at_once), share(spent[True], whole),
            share(spent[False], whole), share(whole - spent[True] - spent[False], whole))


def timers(told):
    late = sorted(event.get("late", 0) for story in told for event in story.events
                  if event["kind"] == "timer")
    if late:
        yield (f"timers: {len(late)}, late by p50 {duration(percentile(late, 50))}, "
               f"p99 {duration(percentile(late, 99))}, max {duration(late[-1])}")


def kernel(record):
    """What `anel-trace record` has added."""
    counts = {}
    for event in record.kernel:
        counts[event["what"]] = counts.get(event["what"], 0) + 1
    if counts:
        yield "kernel: " + ", ".join(f"{counts[what]} {what}" for what in sorted(counts))
    if record.kernel_lost:
        yield f"the {record.kernel_lost} events of the kernel before them were overwritten"
    if record.processor:
        ran = sum(span["until"] - span["at"] for span in record.processor)
        stopped = sum(1 for span in record.processor if span.get("preempted"))
        yield (f"the thread was on a processor {len(record.processor)} times, "
               f"{duration(ran)} altogether; {stopped} times it was made to stop")


def summary(record, top):
    """The lines of the summary."""
    told = stories(record)
    begin = record.events[0]["at"] if record.events else record.network[0]["at"]
    end = record.events[-1]["at"] if record.events else record.network[-1]["at"]
    time = "of virtual time" if record.virtual else "of real time"
    tasks = sum(len(story.tasks) for story in told)
    tasks = "1 task" if tasks == 1 else f"{tasks} tasks"
    seed = "" if record.seed is None else f", seed {record.seed}"
    yield shorten(f"{record.program}: {len(record.events)} events in {duration(end - begin)} "
                  f"{time}, {tasks}{seed}", WIDTH)
    if record.overwritten:
        yield f"the {record.overwritten} events before them were overwritten"
    if told:
        if any(story.waits for story in told):
            yield ""
            yield from waits(told, top)
        yield ""
        columns = ("loop", "enters", "done/enter", "at once", "waited for", "asleep", "asking",
                   "in turns")
        if record.virtual:  # nothing takes time in virtual time but waiting
            columns = columns[:5]
        else:
            yield from longest_run(told)
            yield from timers(told)
            yield ""
        yield from table([columns] + [loop_row(story)[:len(columns)] for story in told])
    if record.kernel or record.processor:
        yield ""
        yield from kernel(record)
    if record.network:
        fates = {}
        for packet in record.network:
            fate = packet["fate"] or "arrives"
            fates[fate] = fates.get(fate, 0) + 1
        yield ""
        yield shorten("network: " + ", ".join(f"{fates[fate]} {fate}" for fate in sorted(fates))
                      + f"; {len(record.faults)} fault"
                      + "s" * (len(record.faults) != 1), WIDTH)
    if record.failure:
        yield shorten(f"failed at {duration(record.failure['at'])}: {record.failure['text']}",
                      WIDTH)
