# anel-gdb.py: what the tasks of a program wait for, seen from gdb, in a process or a core file.
#
#   source anel-gdb.py
#   anel loops         the loops that run, by thread
#   anel tasks         each task: what it waits for, and the chain of awaits that led there
#   anel task N        the awaits of task N as frames, with the variables of each coroutine where
#                      the compiler has described them
#
# The program needs no change. It and the library must have debug information (-g).
# SPDX-License-Identifier: MIT
"""Commands of gdb for programs that use anel."""

import os
import re

import gdb

# What compilers keep in a frame besides the variables of the source.
NOT_WRITTEN = re.compile(r"_|(class|struct|union)_|(Aw\d+|D\.\d+|Is|Fs)_")


def pointers(first, following):
    """The elements of an intrusive list that begins at the pointer `first`."""
    seen = set()  # memory that was overwritten may go round
    while int(first) != 0 and int(first) not in seen:
        seen.add(int(first))
        here = first.dereference()
        yield here
        first = here[following]


def text_of(pointer):
    """A zero-terminated string, or nothing."""
    return "" if int(pointer) == 0 else pointer.string()


class Loop:
    """A loop that runs in a thread, and the root of its scopes."""

    def __init__(self, thread, frame):
        self.thread = thread
        frame.select()
        running = frame.read_var("running")
        self.loop = running["turning_"]
        self.root = value_in(running["first_"])["scope_"]

    def describe(self):
        kind = self.loop["backend_"]
        counters = self.loop["counters_"]
        number, name = self.thread.num, self.thread.name
        turns, resumes = (number_in(counters[which]) for which in ("turns", "resumes"))
        return (f"thread {number} ({name}): {backend_of(kind)}, {turns} turns, "
                f"{resumes} resumes, {len(list(waits_below(self.root)))} waits")


def value_in(optional):
    """What a std::optional holds; it begins there, and each library names it otherwise."""
    held = optional.type.strip_typedefs().template_argument(0)
    return gdb.Value(int(optional.address)).cast(held.pointer()).dereference()


def number_in(counter):
    """What a detail::counter holds: each library names the member of std::atomic otherwise."""
    return int(gdb.Value(int(counter.address)).cast(
        gdb.lookup_type("unsigned long long").pointer()).dereference())


def word_at(address):
    """The pointer that stands at an address."""
    words = gdb.Value(address).cast(gdb.lookup_type("unsigned long").pointer())
    return int(words.dereference())


def pointer_in(value):
    """What a std::unique_ptr holds: each library names it otherwise."""
    return word_at(int(value.address))


def coroutine_of(frame):
    """Where the coroutine of a promise begins: both compilers put the functions that resume and
    destroy it before the promise."""
    return int(frame.address) - 2 * gdb.lookup_type("unsigned long").sizeof


def symbol_at(address):
    return gdb.execute(f"info symbol {address}", to_string=True).split(" in section", maxsplit=1)[0]


def backend_of(owner):
    """The name of a backend, out of its virtual table."""
    table = symbol_at(word_at(pointer_in(owner)))
    for part, name in (("uring", "io_uring"), ("epoll_poller", "epoll"), ("poll_poller", "poll")):
        if part in table:
            return name
    return "another backend"


def fields(value):
    return [field.name for field in value.type.strip_typedefs().fields()]


def loops():
    """The loops of all threads."""
    before, chosen = gdb.selected_thread(), gdb.selected_frame()
    found = []
    for thread in sorted(gdb.selected_inferior().threads(), key=lambda one: one.num):
        thread.switch()
        frame = gdb.newest_frame()
        while frame is not None:
            # With line tables alone gdb knows the last part of a name.
            if re.match(r"(anel::detail::)?run_root\b", frame.name() or ""):
                try:
                    found.append(Loop(thread, frame))
                except (ValueError, gdb.error):
                    print(f"thread {thread.num} runs a loop; build the library with -g to see it")
            frame = frame.older()
    before.switch()
    chosen.select()
    return found


def scopes_below(root):
    """A scope and those below it, each with its depth, in the order in which they were opened."""
    waiting = [(root, 0)]
    while waiting:
        scope, depth = waiting.pop()
        yield scope, depth
        # Children are linked newest first, and the last that is pushed comes next.
        waiting += [(child, depth + 1)
                    for child in pointers(scope["first_child_"], "next_sibling_")]


def waits_below(root):
    """The waits of a loop, each with the depth of its scope."""
    for scope, depth in scopes_below(root):
        if int(scope["waiting_"]) != 0:
            yield scope["waiting_"].dereference(), depth


def awaits(wait):
    """The frames of a chain of awaits, the innermost first."""
    return pointers(wait["waiter"], "awaiter")


def block_of(frame):
    """The function of a suspended coroutine: where it would be resumed."""
    block = gdb.block_for_pc(word_at(coroutine_of(frame)))
    while block is not None and block.function is None:
        block = block.superblock
    return block


def function_of(frame):
    block = block_of(frame)
    if block is None:
        return "?"
    name = block.function.print_name.replace("(anonymous namespace)::", "")
    name = re.split(r"[(<\[]", name, maxsplit=1)[0].strip() or "?"
    return "a lambda" if name.endswith("operator") else name  # as g++ names one


def place_of(frame):
    path = text_of(frame["file"])
    return f"{os.path.basename(path)}:{int(frame['line'])}" if path else ""


def what(wait):
    """What a wait is for: its kind and, for an operation, the descriptor."""
    kind = wait["kind"]
    name = text_of(kind.dereference()["name"]) if int(kind) != 0 else "?"
    if "wait_kinds" in symbol_at(int(kind)):
        operation = wait.cast(gdb.lookup_type("anel::detail::operation"))
        if int(operation["fd"]) >= 0:
            name += f" (fd {int(operation['fd'])})"
    return name


def line_of(wait):
    places = []
    for frame in awaits(wait):
        if place_of(frame):
            places.append(f"{function_of(frame)} at {place_of(frame)}")
    return f"{what(wait)} in {' <- '.join(places)}" if places else what(wait)


class Anel(gdb.Command):
    """Look at the tasks of a program that uses anel: anel loops, anel tasks, anel task N."""

    def __init__(self):
        super().__init__("anel", gdb.COMMAND_STACK, prefix=True)


class Loops(gdb.Command):
    """The loops that run, by thread."""

    def __init__(self):
        super().__init__("anel loops", gdb.COMMAND_STACK)

    def invoke(self, _arguments, _from_tty):
        for loop in loops():
            print(loop.describe())


class Tasks(gdb.Command):
    """Each task: what it waits for, and the chain of awaits that led there."""

    def __init__(self):
        super().__init__("anel tasks", gdb.COMMAND_STACK)

    def invoke(self, _arguments, _from_tty):
        number = 0
        for loop in loops():
            print(loop.describe())
            alike = {}
            for wait, _ in waits_below(loop.root):
                number += 1
                line = line_of(wait)
                alike.setdefault(re.sub(r" \(fd \d+\)", "", line), []).append((number, line))
            for group in alike.values():
                first, line = group[0]
                count = f", and {len(group) - 1} like it" if len(group) > 1 else ""
                print(f"  {first:>4}  {line}{count}")


class Task(gdb.Command):
    """The awaits of a task as frames, with the variables of each coroutine: anel task N."""

    def __init__(self):
        super().__init__("anel task", gdb.COMMAND_STACK)

    def invoke(self, arguments, _from_tty):
        if not arguments.strip().isdigit():
            raise gdb.GdbError("anel task N: a number that `anel tasks` shows")
        wanted = int(arguments)
        every = [wait for loop in loops() for wait, _ in waits_below(loop.root)]
        if not 1 <= wanted <= len(every):
            raise gdb.GdbError(f"anel task {wanted}: there are {len(every)}")
        wait = every[wanted - 1]
        print(f"waits for {what(wait)}")
        for count, frame in enumerate(awaits(wait)):
            print(f"#{count:<3} {function_of(frame)} {place_of(frame)}".rstrip())
            for name, value in variables_of(frame):
                print(f"       {name} = {value}")


def variables_of(frame):
    """The variables of a suspended coroutine, as far as the compiler described its frame."""
    block = block_of(frame)
    if block is None:
        return
    for symbol in block:
        # clang and g++ have a variable for it each, of another type.
        if symbol.name not in ("__coro_frame", "frame_ptr"):
            continue
        kind = symbol.type
        if kind.code == gdb.TYPE_CODE_PTR:
            kind = kind.target()
        held = gdb.Value(coroutine_of(frame)).cast(kind.pointer()).dereference()
        for name in fields(held):
            if name and not NOT_WRITTEN.match(name):
                shown = str(held[name])[:200].replace("\n", " ")
                yield re.sub(r"_\d+_\d+$", "", name), shown  # g++ numbers the scopes
        return


Anel()
Loops()
Tasks()
Task()
