#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The edge's own program: one takes over from another, without the other processes."""
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from stand import Edge, Failure, Stand, begun, expect, wait
from takeover_socket import (
    Before, Channel, DESCRIPTOR, END, GO, HELLO, LINK, NAME, REFUSED, ROLE, SESSION, SOCKET,
    VERSION, WELCOME, YOURS, at_end, connected, received, record)

HEADER = os.path.join(os.path.dirname(__file__), "../../../include/turnpike/session.h")
with open(HEADER) as header:
    SESSION_MAGIC = int(re.search(r"TP_SESSION_MAGIC\s+(0x\w+?)u", header.read()).group(1), 16)
LISTENERS = 1


def a_removed_port_ends_at_once(stand):
    first = Edge(stand)
    client = begun(stand, first)
    stand.listeners((stand.tls, "tls"))
    Edge(stand, "--take-over")
    expect("the first one drains", first.process.poll() is None)
    try:
        socket.create_connection(("127.0.0.1", stand.tcp)).close()
        raise Failure("somebody listens at the port")
    except ConnectionRefusedError:
        pass
    client.socket.close()


def a_late_one_is_served_by_the_last(stand):
    first = Edge(stand)
    client = begun(stand, first)
    second = Edge(stand, "--take-over")
    other = begun(stand, second)
    third = Edge(stand, "--take-over")
    last = Edge(stand, "--take-over")
    expect("two drain", first.process.poll() is None and second.process.poll() is None)
    wait("one without clients ends", lambda: third.process.poll() == 0)
    client.finish()
    # There is no control process that could have named the listener.
    wait("the last one has it", lambda: last.says("connection_refused", "not_ready"))
    expect("nobody else looked at it", not first.says("not_ready") and not second.says("not_ready"))
    other.socket.close()
    client.socket.close()


def one_whose_successors_die_ends(stand):
    """Nobody serves its clients any more, and a supervisor starts another when it ends."""
    first = Edge(stand)
    client = begun(stand, first)
    Edge(stand, "--take-over").process.send_signal(signal.SIGTERM)
    wait("one that stops takes it along", lambda: first.process.poll() == 1)
    client.socket.close()
    first = Edge(stand)
    client = begun(stand, first)
    second = Edge(stand, "--take-over")
    last = Edge(stand, "--take-over")
    wait("the second one ends with nothing left", lambda: second.process.poll() == 0)
    expect("the first one drains", first.process.poll() is None)
    last.process.kill()
    wait("it ends with the last", lambda: first.process.poll() == 1)
    expect("and says why", first.says("edge_take_over_failed", "after it had taken over"))
    client.socket.close()
    Edge(stand)


def descriptors(edge):
    return sorted(os.readlink(f"/proc/{edge.process.pid}/fd/{n}")
                  for n in os.listdir(f"/proc/{edge.process.pid}/fd"))


def none_keeps_descriptors(stand):
    """Of the taking over itself, also where the one before died."""
    edges = [Edge(stand)]
    least = descriptors(edges[0])
    for _ in range(3):
        edges.append(Edge(stand, "--take-over"))
        wait("the one before ends", lambda: edges[-2].process.poll() == 0)
        wait(f"nothing is left: {descriptors(edges[-1])}, {least}",
             lambda: len(descriptors(edges[-1])) <= len(least))
    edges[-1].process.terminate()
    edges[-1].process.wait()
    before = Before(stand)
    after = Edge(stand, "--take-over", starts=False)
    before.greet()
    os.unlink(stand.path(NAME))
    before.end()
    after.started()
    wait(f"nothing is left of one that died: {descriptors(after)}, {least}",
         lambda: len(descriptors(after)) <= len(least))


def the_lock_of_one_that_stops_is_taken(stand):
    """The one before ends between the greeting and the rest: the next one takes the lock when it has
    dropped its privileges. A lock that others can hold is none."""
    for mode, starts in ((None, True), (0o600, True), (0o640, True), (0o660, False)):
        before = Before(stand)
        after = Edge(stand, "--take-over", starts=False)
        before.greet()
        if mode is not None:
            os.close(os.open(before.lock, os.O_RDWR | os.O_CREAT))
            os.chmod(before.lock, mode)
        os.unlink(stand.path(NAME))
        before.end()
        if starts:
            after.started()
            after.process.terminate()
        expect(f"it says how to go on: {after.text()}", after.process.wait(timeout=300) == 0 or
               (not starts and after.says("segment_refused", "edge.lock", "remedy=\"remove it")))


def one_that_is_halted_goes_on(stand):
    """Before the greeting, and between it and the rest: a bound, and its word for it."""
    first = Edge(stand)
    first.process.send_signal(signal.SIGSTOP)
    after = Edge(stand, "--take-over", starts=False)
    expect("the next one gives up", after.process.wait(timeout=300) == 1)
    expect(f"and says why: {after.text()}", after.says("edge_take_over_failed", "does not answer",
                                                       "remedy"))
    first.process.send_signal(signal.SIGCONT)
    wait("the first one goes on", lambda: first.says("edge_take_over_failed", "goes on as before"))
    after = Edge(stand, "--take-over")
    wait("and is taken over", lambda: first.process.poll() == 0)
    after.process.terminate()
    after.process.wait()
    before = Before(stand)
    after = Edge(stand, "--take-over", starts=False)
    before.greet()
    expect("the next one gives up again", after.process.wait(timeout=300) == 1)
    expect(f"and says why: {after.text()}", after.says("edge_take_over_failed", "does not answer"))
    expect("no name of it is left", not os.path.exists(stand.path(NAME + ".next")))
    before.end()


def served(stand):
    """Whether the edge that runs has a new connection, and closes it as its client does."""
    s = socket.create_connection(("127.0.0.1", stand.tcp))
    s.settimeout(300)
    try:
        s.shutdown(socket.SHUT_WR)
        return s.recv(1) == b""
    except OSError:
        return False
    finally:
        s.close()


def one_that_is_refused_takes_nobody(stand):
    """An edge that is started beside the one that runs: clients that come meanwhile are the other's."""
    edge = Edge(stand)
    for options in ([], ["--take-over"]):
        if options:
            # It finds nobody, as where another process takes over just then.
            os.rename(stand.path(NAME), stand.path("hidden"))
        after = Edge(stand, *options, starts=False)
        while after.process.poll() is None:
            expect(f"a client is served, {options}", served(stand))
            time.sleep(0.01)
        expect(f"it is refused: {after.text()}", after.process.poll() == 4 and
               after.says("runs already"))
    os.rename(stand.path("hidden"), stand.path(NAME))
    expect("the first one runs", edge.process.poll() is None)


def layout_of(stand):
    return int(subprocess.run([stand.program, "--version"], capture_output=True, text=True,
                              check=True).stdout.rsplit(None, 1)[1].rstrip(")"))


def greeted(stand):
    """The channel of a successor that has all of the greeting."""
    c = Channel(connected(stand.path(NAME)))
    c.socket.sendall(record(HELLO, struct.pack("=II", layout_of(stand), 1)))
    _, welcome, _ = c.receive()
    for _ in range(struct.unpack("=IIII", welcome)[3]):
        expect("its sockets come", c.receive()[0] == SOCKET)
    return c


def the_lock_comes_last(stand):
    """A successor that has not got all does not believe that it is alone."""
    edge = Edge(stand)
    client = socket.create_connection(("127.0.0.1", stand.tcp))
    c = greeted(stand)
    c.socket.sendall(record(GO))
    records = [c.receive()]
    while records[-1][0] != END:
        records.append(c.receive())
    roles = [i for i, (kind, body, has_fd) in enumerate(records)
             if kind == DESCRIPTOR and has_fd and struct.unpack("=II", body)[0] == ROLE]
    expect(f"it is the last but one: {roles} of {len(records)}", roles == [len(records) - 2])
    c.socket.close()
    wait("the edge goes on", lambda: edge.says("edge_take_over_failed"))
    edge.process.send_signal(signal.SIGTERM)
    expect("and stops in order", edge.process.wait(timeout=300) == 0)
    client.close()


def status_of(process):
    with open(f"/proc/{process.pid}/status") as status:
        return dict(line.split(":", 1) for line in status)


def nothing_fails_after_the_end(stand):
    """A successor that says that it has all has its threads, its walls and its sockets."""
    before = Before(stand)
    after = Edge(stand, "--take-over", starts=False)
    before.hand()
    status = status_of(after.process)
    expect(f"it has two threads, {status['Threads'].strip()}", int(status["Threads"]) == 2)
    expect("and the filter of system calls", int(status["Seccomp"]) == 2)
    expect("and its sockets by other names",
           os.path.exists(stand.path(NAME + ".next")) and
           os.path.exists(stand.path("edge-control.sock.next")))
    expect("but not those of the process before", not os.path.exists(stand.path("edge-control.sock")))
    os.unlink(stand.path(NAME))
    before.send(YOURS)
    after.started()
    connected(stand.path(NAME)).close()
    connected(stand.path("edge-control.sock")).close()
    left = [name for name in os.listdir(stand.path("")) if name.endswith(".next")]
    expect(f"no other name is left: {left}", not left)


def one_that_is_refused_serves_nobody(stand):
    """It was stopped while it got the last of all: the one before has lost patience."""
    before = Before(stand)
    after = Edge(stand, "--take-over", starts=False)
    before.greet()
    after.process.send_signal(signal.SIGSTOP)
    before.give()
    before.refuse(b"the next process is too slow")
    after.process.send_signal(signal.SIGCONT)
    wait("it ends", lambda: after.process.poll() is not None or after.says("process_started"))
    expect("it does not serve beside the other", after.process.poll() == 1)
    expect("it says why", after.says("edge_take_over_failed", "refused: the next process is too slow"))


def a_refusal_in_the_middle_of_a_record_is_read(stand):
    before = Before(stand)
    after = Edge(stand, "--take-over", starts=False)
    before.greet()
    before.channel.socket.sendall(record(LINK, bytes(24))[:30])
    before.refuse(b"a reason of this test")
    expect("it ends", after.process.wait(timeout=300) == 1)
    expect("it says why", after.says("edge_take_over_failed", "refused: a reason of this test",
                                     "remedy"))


def a_successor_that_does_not_read_is_told(stand):
    """The channel is full: the reason has a way of its own, and the edge serves on."""
    edge = Edge(stand)
    clients = [socket.create_connection(("127.0.0.1", stand.tcp)) for _ in range(300)]
    c = greeted(stand)
    c.socket.sendall(record(GO))
    wait("the edge gives up", lambda: edge.says("edge_take_over_failed", "too slow"))
    told = os.read(c.word, 256)
    expect(f"it is told why: {told}", told == b"the next process is too slow")
    # Records that it has not read keep the sockets of clients open.
    c.socket.close()
    clients[0].sendall(b"GET / HTTP/1.1\r\n\r\n")
    clients[0].settimeout(300)
    expect("the edge serves on", at_end(clients[0]))
    Edge(stand, "--take-over")
    wait("and is taken over", lambda: edge.process.poll() == 0)


def a_reload_meanwhile_refuses(stand):
    """The next process has read certificates and listeners before it."""
    edge = Edge(stand)
    c = greeted(stand)
    edge.process.send_signal(signal.SIGHUP)
    wait("it reads again", lambda: edge.says("config_reloaded"))
    c.socket.sendall(record(GO))
    wait("the edge refuses", lambda: edge.says("edge_take_over_failed", "goes on as before"))
    told = os.read(c.word, 256)
    expect(f"it is told why: {told}", b"read again" in told)
    c.socket.close()
    Edge(stand, "--take-over")
    wait("another one takes over", lambda: edge.process.poll() == 0)


def a_successor_that_ends_is_no_signal(stand):
    """Its reason has no reader: that raises SIGPIPE, which nobody sent."""
    edge = Edge(stand)
    c = greeted(stand)
    os.close(c.word)
    c.socket.close()
    wait("the edge gives up", lambda: edge.says("edge_take_over_failed", "ended"))
    edge.process.send_signal(signal.SIGPIPE)
    wait("one that was sent is named", lambda: edge.says("signal_ignored", "Broken pipe"))
    edge.process.terminate()
    expect("it stops in order", edge.process.wait(timeout=300) == 0)
    expect(f"no other is: {edge.text()}", edge.text().count("signal_ignored") == 1 and
           edge.says("signal_ignored", f"pid={os.getpid()}"))


def another_version_is_refused(stand):
    """Both ways, each by an edge that has the other version, and in words."""
    edge = Edge(stand)
    for version in (VERSION - 1, VERSION + 1):
        s = connected(stand.path(NAME))
        s.sendall(record(HELLO, struct.pack("=II", layout_of(stand), 1), version))
        mine, kind, text = received(s)
        expect(f"a successor is told: {text}", mine == VERSION and kind == REFUSED and
               b"another version" in text and b"restart" in text)
        expect("and closed", at_end(s))
    wait("it says so twice", lambda: edge.text().count("edge_take_over_failed") == 2)
    s = connected(stand.path(NAME))
    s.sendall(record(HELLO, struct.pack("=II", layout_of(stand) + 1, 1)))
    _, _, text = received(s)
    expect(f"another layout too: {text}", b"another layout" in text and b"restart" in text)
    edge.process.terminate()
    expect("it stops in order", edge.process.wait(timeout=300) == 0)
    for reply, problem in (
            (record(REFUSED, b"the next process speaks another version of this", VERSION - 1),
             "of a version with another form"),
            (record(WELCOME, bytes(64), VERSION + 1), "of a version with another form"),
            (record(REFUSED, b"it has another layout"), "refused: it has another layout"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no turnpike-edge")):
        before = Before(stand)
        after = Edge(stand, "--take-over", starts=False)
        before.meet()
        before.channel.socket.sendall(reply)
        expect("the next one ends", after.process.wait(timeout=300) == 1)
        expect(f"and says so: {after.text()}",
               after.says("edge_take_over_failed", problem, "remedy="))
        before.end()
        os.unlink(stand.path(NAME))


def killed(stand):
    """An edge that was killed leaves its lock; its socket is removed."""
    edge = Edge(stand)
    edge.process.kill()
    edge.process.wait()
    os.unlink(stand.path(NAME))


def one_that_dies_early_is_replaced(stand):
    """Before it has said anything, in the middle of its sockets, and before it hands over."""
    for how in ("at once", "sockets", "go"):
        killed(stand)
        before = Before(stand)
        after = Edge(stand, "--take-over", starts=False)
        before.meet()
        if how != "at once":
            before.welcome(sockets=1 if how == "sockets" else 0)
        if how == "go":
            before.expect(GO)
        before.end()
        after.started()
        socket.create_connection(("127.0.0.1", stand.tcp)).close()
        after.process.terminate()
        expect(f"{how}: the next one stops in order", after.process.wait(timeout=300) == 0)


def one_that_lets_go_may_be_slow(stand):
    """Its many connections take longer than a step does."""
    before = Before(stand)
    after = Edge(stand, "--take-over", starts=False)
    before.hand()
    time.sleep(5.5)
    os.unlink(stand.path(NAME))
    before.send(YOURS)
    after.started()


def one_that_dies_leaves_no_session(stand):
    """It had passed the session with control, and nothing that would be of use with it."""
    killed(stand)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.settimeout(60)
    control.bind(stand.path("edge.sock"))
    control.listen(4)
    before = Before(stand)
    after = Edge(stand, "--take-over", starts=False)
    before.greet()
    before.send(LINK, struct.pack("=QIIQ", 0, 0, 0, SESSION_MAGIC))
    mine, passed = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.settimeout(60)
    before.send(DESCRIPTOR, struct.pack("=II", SESSION, 0), passed.fileno())
    passed.close()
    before.end()
    after.started()
    expect("the session ends", mine.recv(64) == b"")
    control.accept()[0].close()


def control_is_named_once(stand):
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.settimeout(60)
    control.bind(stand.path("edge.sock"))
    control.listen(4)
    edge = Edge(stand)
    session = control.accept()[0]
    session.send(struct.pack("=QIIQQ", SESSION_MAGIC, LISTENERS, 0, 0, 0))
    wait("it has found control", lambda: edge.says("control_up"))
    control.close()
    session.close()
    wait("it has lost control", lambda: edge.says("control_down"))
    edge.process.terminate()
    edge.process.wait()
    for event in ("control_up", "control_down"):
        expect(f"{event} once: {edge.text()}", edge.text().count(event) == 1)


def one_that_cannot_start_takes_nothing(stand):
    """Its sockets have no room: the one before goes on, and is found by its names."""
    first = Edge(stand)
    os.mkdir(stand.path("edge-control.sock.next"))
    after = Edge(stand, "--take-over", starts=False)
    expect("it ends", after.process.wait(timeout=300) == 1)
    wait("the first one knows", lambda: first.says("edge_take_over_failed"))
    connected(stand.path("edge-control.sock")).close()
    os.rmdir(stand.path("edge-control.sock.next"))
    Edge(stand, "--take-over")
    wait("the first one ends in order", lambda: first.process.poll() == 0)


def workers_have_their_cores(stand):
    """The edge leaves the cores of polling workers alone, where enough others are left."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return
    for keys, left in (("workers: 1", cores[:-1]),
                       (f"cores: [{cores[0]}]", cores[1:]),
                       (f"workers: {len(cores)}", cores)):
        stand.listeners((stand.tcp, "tcp"), dataplane=f", {keys}")
        edge = Edge(stand)
        found = sorted(os.sched_getaffinity(edge.process.pid))
        expect(f"{keys}: {found}, not {left}", found == left)
        edge.process.terminate()
        edge.process.wait()


def start_is_named(stand):
    """A reload names the keys that wait for the next start, takes the others over, and goes on."""
    seed = os.path.join(stand.home, "seed")
    with open(seed, "wb") as f:
        f.write(os.urandom(32))
    os.chmod(seed, 0o600)
    keys = "    connections: {}\n    threads: {}\n{}"
    with open(stand.config) as f:
        base = f.read()
    with open(stand.config, "w") as f:
        f.write(base.replace("edge:\n", "edge:\n" + keys.format(
            100, 1, "    ticket_key_file: seed\n")))
    edge = Edge(stand)
    with open(stand.config, "w") as f:
        f.write(base.replace("edge:\n", "edge:\n" + keys.format(101, 2, "")))
    edge.process.send_signal(signal.SIGHUP)
    for key in ("threads", "connections", "ticket_key_file"):
        wait(f"edge.{key} is named", lambda: edge.says(
            "config_warning", f"key=edge.{key} ", "restart turnpike-edge"))
    with open(stand.config, "w") as f:
        f.write(base.replace("edge:\n", "edge:\n" + keys.format(
            99, 1, "    ticket_key_file: seed\n")))
    before = edge.text().count("config_warning")
    edge.process.send_signal(signal.SIGHUP)
    wait("the next reload", lambda: edge.text().count("config_reloaded") == 2)
    expect(edge.text(), edge.text().count("config_warning") == before)


def options_are_read(stand):
    for words, status, out, err in ((["--help"], 0, "usage: turnpike-edge", ""),
                                    (["--version"], 0, "turnpike-edge ", ""),
                                    (["--nothing"], 2, "", "lists the options"),
                                    (["--config"], 2, "", "lists the options"),
                                    (["--config", stand.config, "more"], 2, "",
                                     "unexpected argument 'more'"),
                                    ([], 2, "", "--config FILE is missing")):
        done = subprocess.run([stand.program, *words], capture_output=True, text=True)
        expect(f"{words}: {done}", done.returncode == status and out in done.stdout and
               err in done.stderr and bool(out) == bool(done.stdout))


def main():
    program = os.path.abspath(sys.argv[1])
    # A time-out leaves no process behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = 0
    for test in (a_removed_port_ends_at_once, a_late_one_is_served_by_the_last,
                 one_whose_successors_die_ends, the_lock_of_one_that_stops_is_taken,
                 one_that_is_halted_goes_on, none_keeps_descriptors, one_that_is_refused_takes_nobody,
                 the_lock_comes_last, nothing_fails_after_the_end,
                 one_that_is_refused_serves_nobody,
                 a_refusal_in_the_middle_of_a_record_is_read,
                 a_successor_that_does_not_read_is_told, a_reload_meanwhile_refuses,
                 a_successor_that_ends_is_no_signal, another_version_is_refused,
                 one_that_dies_early_is_replaced, one_that_lets_go_may_be_slow,
                 one_that_dies_leaves_no_session, control_is_named_once,
                 one_that_cannot_start_takes_nothing, workers_have_their_cores, start_is_named,
                 options_are_read):
        with tempfile.TemporaryDirectory() as home:
            stand = Stand(program, home)
            try:
                test(stand)
                print("ok -", test.__name__)
            except (Failure, OSError, subprocess.SubprocessError) as e:
                failed += 1
                print("not ok -", test.__name__, e)
            finally:
                stand.stop()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
