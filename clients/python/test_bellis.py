import hashlib
import hmac
import importlib.util
import io
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import unittest.mock
import zipfile

import bellis

TOKEN = "0123456789abcdef" * 2
NONCE = "cd" * 32
ROI = {"offset": [0, -8], "shape": [4, 8]}


class Coordinator:
    """A listener that acts as the coordinator, one connection after the other, in a thread."""

    def __init__(self, *scenes):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.context = "bellis://%s@127.0.0.1:%d" % (TOKEN, self.server.getsockname()[1])
        self.got = []
        self.usages = []
        self.thread = threading.Thread(target=self.play, args=(scenes,), daemon=True)
        self.thread.start()

    def play(self, scenes):
        for scene in scenes:
            link, _ = self.server.accept()
            link.settimeout(10)
            with link, link.makefile("rb") as lines:
                self.prove(link, lines)
                scene(self, link, lambda: self.read(lines))
        self.server.close()

    def prove(self, link, lines):
        """The handshake, as docs/PROTOCOL.md describes it."""
        hello = json.loads(lines.readline())
        send(link, {"type": "challenge", "protocol": 2, "nonce": NONCE, "proof": proof("coordinator", hello["nonce"])})
        answer = json.loads(lines.readline())
        assert answer == {"type": "proof", "proof": proof("worker", hello["nonce"])}, answer

    def read(self, lines):
        message = json.loads(lines.readline())
        if message["type"] == "usage":
            self.usages.append(message)
            return self.read(lines)
        self.got.append(message)
        return message


def send(link, *messages):
    link.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))


def proof(role, nonce, token=TOKEN):
    text = "|".join(["bellis", role, "2", nonce, NONCE, ""])
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def welcome(*leases):
    return {"type": "welcome", "protocol": 2, "workerId": "w1", "session": "s", "heartbeatMs": 10000, "leases": leases}


TASK = {"type": "task", "task": {"id": "t", "config": {"sigma": 2}, "unit": "nm"}}


def lease(number, count):
    pair = {"read": ROI, "write": ROI}
    return {"type": "lease", "lease": number, "taskId": "t", "blocks": list(range(count)), "rois": [pair] * count}


class Impostor(Coordinator):
    """Listens where a coordinator was, and does not know the token."""

    def __init__(self, *answers):
        self.answers = list(answers)
        super().__init__(*[lambda *_: None for _ in answers])

    def prove(self, link, lines):
        hello = lines.readline()
        answer = self.answers.pop(0)
        send(link, answer(json.loads(hello)) if callable(answer) else answer)
        self.got.append((json.loads(hello), lines.readline()))


class Handshake(unittest.TestCase):
    def challenge(self, proof):
        return {"type": "challenge", "protocol": 2, "nonce": NONCE, "proof": proof}

    def refuse(self, answer, code, text):
        impostor = Impostor(answer)
        with self.assertRaisesRegex(bellis.Refused, text) as raised:
            list(bellis.blocks(impostor.context))
        impostor.thread.join(10)
        [(hello, rest)] = impostor.got
        self.assertEqual((raised.exception.code, set(hello), rest), (code, {"type", "protocol", "nonce"}, b""))
        self.assertNotIn(TOKEN, json.dumps(hello))

    def test_sends_nothing_to_a_coordinator_that_does_not_prove_that_it_knows_the_token(self):
        self.refuse(self.challenge("0" * 64), "UNAUTHORIZED", "does not know the context's token")
        self.refuse(welcome(), "PROTOCOL_ERROR", "did not answer the hello")
        self.refuse({"type": "drain", "pad": "x" * 9000}, "PROTOCOL_ERROR", "more than 8192 bytes")
        # Its own proof, or one of an earlier connection, sent back to it.
        self.refuse(lambda hello: self.challenge(proof("worker", hello["nonce"])), "UNAUTHORIZED", "token")
        self.refuse(lambda _: self.challenge(proof("coordinator", "ab" * 32)), "UNAUTHORIZED", "token")

    def test_names_both_versions_to_a_coordinator_of_version_1(self):
        old = {"type": "refused", "code": "UNAUTHORIZED", "message": "The token is not valid for this run."}
        self.refuse(old, "PROTOCOL_ERROR", "protocol version 1 does; this module speaks version 2")

    def test_tries_again_if_the_coordinator_is_busy_or_the_context_may_change(self):
        busy = {"type": "refused", "code": "TOO_MANY_CONNECTIONS", "message": "later"}
        impostor = Impostor(busy, busy, self.challenge("0" * 64))
        with self.assertRaises(bellis.Refused):
            list(bellis.blocks(impostor.context))
        # The last connection is noted once it is closed.
        impostor.thread.join(10)
        self.assertEqual(len(impostor.got), 3)
        impostor = Impostor(self.challenge("0" * 64), self.challenge("0" * 64))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "context")
            with open(path, "w", encoding="utf-8") as file:
                file.write(impostor.context)
            worker = bellis._Worker(None, folder)
            worker._thread.start()
            impostor.thread.join(10)
            self.assertFalse(worker._ended)
            worker.drain()
            worker._thread.join(10)
            self.assertEqual(len(impostor.got), 2)


class Parser(unittest.TestCase):
    def test_splits_lines_wherever_the_pieces_end(self):
        text = b'{"type":"drain"}\n{"type":"heartbeat"}\n'
        for at in range(len(text)):
            lines = bellis._Lines()
            found = [m["type"] for part in (text[:at], text[at:]) for m in lines.feed(part)]
            self.assertEqual(found, ["drain", "heartbeat"])

    def test_refuses_invalid_messages(self):
        bad = [b"nonsense\n", b"[]\n", b"{}\n", b"\xff\n", b"[" * 100_000 + b"\n", b"x" * 9_000_000]
        for line in bad:
            with self.assertRaises(bellis.ProtocolError):
                list(bellis._Lines().feed(line))

    def test_refuses_invalid_leases(self):
        good = lease(1, 2)
        for wrong in ({"blocks": [0]}, {"blocks": [True, 1]}, {"blocks": [0, -1]}, {"rois": [{}, {}]}, {"lease": "1"}):
            with self.assertRaises(bellis.ProtocolError):
                bellis._lease({**good, **wrong})
        self.assertEqual(bellis._lease(good).rois[0][0].end, (4, 0))

    def test_refuses_invalid_grids_and_blocks_that_they_do_not_have(self):
        good = {"totalRoi": {"offset": [0], "shape": [9]}, "readRoi": {"offset": [0], "shape": [4]}, "writeRoi": {"offset": [1], "shape": [2]}}
        self.assertIsNone(bellis._grid({"id": "t"}))
        self.assertEqual(bellis._grid({"grid": good}).count, 3)
        for wrong in ({"writeRoi": {"offset": [0], "shape": [0]}}, {"readRoi": ROI}, {"fit": "x"}, {"totalRoi": None}):
            with self.assertRaises(bellis.ProtocolError):
                bellis._grid({"grid": {**good, **wrong}})
        with self.assertRaises(bellis.ProtocolError):
            bellis._grid({"grid": []})

    def test_refuses_invalid_descriptions_of_tasks(self):
        good = {"id": "t", "voxels": {"voxelSize": [4, 4.5]}, "owns": {"id": "r", "outputs": ["a"]}, "folder": "f", "resources": {"gpu": [1]}}
        bellis._check_task(good)
        wrongs = ({"voxels": [1]}, {"voxels": {"voxelSize": 4}}, {"voxels": {"offset": ["0"]}}, {"resources": 1}, {"folder": 5}, {"unit": []})
        for wrong in (*wrongs, {"owns": "all"}, {"owns": {"outputs": "all"}}):
            with self.assertRaises(bellis.ProtocolError, msg=str(wrong)):
                bellis._check_task({**good, **wrong})

    def test_cuts_rois_at_the_start_of_the_array(self):
        self.assertEqual(bellis.Roi((-8, 40), (24, 40)).to_slices((8, 4), (0, 20)), (slice(0, 2), slice(5, 15)))

    def test_grows_rois_by_a_context(self):
        roi = bellis.Roi((0, 10), (4, 8))
        self.assertEqual(roi.grow((1, 2)), bellis.Roi((-1, 8), (6, 12)))
        self.assertEqual(roi.grow((1, 2), (0, 5)), bellis.Roi((-1, 8), (5, 15)))
        with self.assertRaisesRegex(ValueError, "expected 2 numbers"):
            roi.grow((1,))

    def test_does_not_show_an_invalid_context(self):
        with self.assertRaises(bellis.BellisError) as raised:
            bellis.blocks("bellis://secret@host:1")
        self.assertNotIn("secret", str(raised.exception))


class Link(unittest.TestCase):
    def test_reports_done_and_failed_blocks_and_leaves_when_asked_to(self):
        def scene(_, link, read):
            read()
            send(link, welcome(), TASK, lease(5, 3))
            read(), read()
            send(link, {"type": "drain"})
            read()

        coordinator = Coordinator(scene)
        seen = []
        for block in bellis.blocks(coordinator.context):
            with block:
                seen.append((block.index, block.write_roi.offset, block.config))
                if block.index == 1:
                    block.fail("no such neuron")
                if block.index == 2:
                    raise KeyError("x")
        coordinator.thread.join(10)
        join, ready, outcomes, goodbye = coordinator.got
        self.assertEqual((join["type"], "token" in join), ("join", False))
        self.assertEqual([message["type"] for message in (ready, goodbye)], ["task-ready", "goodbye"])
        self.assertEqual([outcome["status"] for outcome in outcomes["outcomes"]], ["done", "failed", "failed"])
        self.assertEqual(outcomes["outcomes"][1]["error"]["message"], "no such neuron")
        self.assertEqual(seen[0], (0, (0, -8), {"sigma": 2}))

    def test_computes_the_rois_of_leases_that_have_none(self):
        grid = {"totalRoi": {"offset": [-4, 0], "shape": [10, 9]}, "fit": "shrink", "readWriteConflict": False}
        grid.update(readRoi={"offset": [0, 0], "shape": [4, 5]}, writeRoi={"offset": [0, 1], "shape": [4, 3]})

        def scene(_, link, read):
            read()
            task = {**TASK["task"], "grid": grid}
            send(link, welcome(), {"type": "task", "task": task}, {"type": "lease", "lease": 1, "taskId": "t", "blocks": [0, 8]})
            read(), read()
            send(link, {"type": "drain"})
            read()

        coordinator = Coordinator(scene)
        seen = [(block.read_roi, block.write_roi) for block in bellis.blocks(coordinator.context)]
        coordinator.thread.join(10)
        first = (bellis.Roi((-4, 0), (4, 5)), bellis.Roi((-4, 1), (4, 3)))
        last = (bellis.Roi((4, 6), (2, 3)), bellis.Roi((4, 7), (2, 1)))
        self.assertEqual(seen, [first, last])

    def test_refuses_leases_whose_rois_it_cannot_know(self):
        grid = {"totalRoi": {"offset": [0], "shape": [4]}, "readRoi": {"offset": [0], "shape": [2]}, "writeRoi": {"offset": [0], "shape": [2]}}
        for task, text in ((TASK["task"], "no grid"), ({**TASK["task"], "grid": grid}, "beyond the 2")):
            wrong = {"type": "lease", "lease": 1, "taskId": "t", "blocks": [2]}
            coordinator = Coordinator(lambda _, link, read: (read(), send(link, welcome(), {"type": "task", "task": task}, wrong), read))
            with self.assertRaisesRegex(bellis.ProtocolError, text):
                list(bellis.blocks(coordinator.context))

    def test_reconnects_and_reports_what_it_finished_meanwhile(self):
        cut = threading.Event()

        def first(_, link, read):
            read()
            send(link, welcome(), TASK, lease(7, 1))
            read()

        def second(_, link, read):
            read()
            send(link, welcome({"lease": 7, "reported": 0}))
            cut.set()
            read()
            send(link, {"type": "drain"})
            read()

        coordinator = Coordinator(first, second)
        for _ in bellis.blocks(coordinator.context):
            self.assertTrue(cut.wait(10))
        coordinator.thread.join(10)
        back, outcomes = coordinator.got[2:4]
        self.assertEqual((back["worker"], back["session"], back["leases"]), ("w1", "s", [7]))
        self.assertEqual((outcomes["lease"], outcomes["outcomes"][0]["status"]), (7, "done"))

    def test_reports_its_peak_memory_before_the_blocks_that_needed_it(self):
        def scene(coordinator, link, read):
            read()
            send(link, welcome(), TASK, lease(1, 1))
            read(), read()
            coordinator.before = list(coordinator.usages)
            send(link, lease(2, 1))
            read()
            send(link, {"type": "drain"})
            read()

        coordinator = Coordinator(scene)
        for block in bellis.blocks(coordinator.context):
            large = bytearray(b"x") * 300_000_000 if coordinator.usages else None
            del large
        coordinator.thread.join(10)
        first, second = [usage["peakMemory"] for usage in coordinator.usages]
        self.assertEqual([usage["peakMemory"] for usage in coordinator.before], [first])
        self.assertGreater(second, 300_000_000)
        self.assertLess(first, 300_000_000)

    def test_reports_no_memory_if_the_system_does_not(self):
        def scene(_, link, read):
            read()
            send(link, welcome(), TASK, lease(1, 1))
            read(), read()
            send(link, {"type": "drain"})
            read()

        with unittest.mock.patch("builtins.open", side_effect=FileNotFoundError):
            self.assertGreater(bellis._peak_memory(), 2**20)
            with unittest.mock.patch.dict("sys.modules", resource=None):
                self.assertIsNone(bellis._peak_memory())
                coordinator = Coordinator(scene)
                self.assertEqual(len(list(bellis.blocks(coordinator.context))), 1)
                coordinator.thread.join(10)
        self.assertEqual((coordinator.got[-1]["type"], coordinator.usages), ("goodbye", []))

    def test_works_in_a_program_with_very_many_open_files(self):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, before[1]))
        files = []
        try:
            while not files or files[-1] < 1100:
                files.append(os.open(os.devnull, os.O_RDONLY))

            def scene(_, link, read):
                read()
                send(link, welcome(), TASK, lease(1, 2))
                read(), read()
                send(link, {"type": "drain"})
                read()

            coordinator = Coordinator(scene)
            self.assertEqual([block.index for block in bellis.blocks(coordinator.context)], [0, 1])
            coordinator.thread.join(10)
        finally:
            for file in files:
                os.close(file)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def test_refuses_what_no_coordinator_sends_instead_of_breaking(self):
        for messages in (
            [{**welcome(), "heartbeatMs": float("nan")}],
            [{**welcome(), "heartbeatMs": float("inf")}],
            [{**welcome(), "heartbeatMs": 10**400}],
            [{**welcome(), "heartbeatMs": 1e-9}],
            [welcome(), {"type": "task", "task": {**TASK["task"], "voxels": [1]}}],
            [welcome(), TASK, *(lease(number, 1) for number in range(1, 9))],
        ):

            def scene(_, link, read):
                read()
                send(link, *messages)
                while link.recv(4096):
                    pass

            worker = bellis._Worker(Coordinator(scene).context, None)
            with self.assertRaises(bellis.ProtocolError, msg=str(messages)[:200]):
                for _ in worker.blocks():
                    with worker._changed:
                        worker._changed.wait_for(lambda: worker._ended, 10)

    def test_makes_and_changes_nothing_through_a_link_in_place_of_its_files(self):
        with tempfile.TemporaryDirectory() as folder:
            precious = os.path.join(folder, "precious")
            array = os.path.join(folder, "array")
            for made in (precious, array):
                os.mkdir(made)
            with open(os.path.join(array, ".bellis-run"), "w") as file:
                json.dump({"id": "mine"}, file)
            writers = os.path.join(array, ".bellis-writers")
            os.symlink(precious, writers)
            writer = bellis._Writer("mine", [array], lambda why: None)
            writer.begin(1)
            self.assertEqual(os.listdir(precious), [])
            writer.close()
            os.remove(writers)
            writer = bellis._Writer("mine", [array], lambda why: None)
            writer.begin(1)
            (name,) = os.listdir(writers)
            with open(os.path.join(precious, "thesis"), "w") as file:
                file.write("text")
            os.remove(os.path.join(writers, name))
            os.symlink(os.path.join(precious, "thesis"), os.path.join(writers, name))
            writer._touch()
            writer.close()
            with open(os.path.join(precious, "thesis")) as file:
                self.assertEqual(file.read(), "text")

    def test_raises_unexpected_errors_of_its_connection_instead_of_waiting_forever(self):
        def scene(_, link, read):
            read()
            send(link, welcome())
            link.recv(1)

        worker = bellis._Worker(Coordinator(scene).context, None)
        worker._take_welcome = lambda _: 1 // 0
        with self.assertRaises(ZeroDivisionError):
            list(worker.blocks())

    def test_tries_again_when_a_coordinator_accepts_its_connection_but_does_not_answer(self):
        def silent(_, link, read):
            read()
            self.assertEqual(link.recv(1), b"")

        def over(_, link, read):
            read()
            send(link, {"type": "refused", "code": "RUN_OVER", "message": "over"})

        with unittest.mock.patch("bellis.WELCOME_SECONDS", 0.05):
            coordinator = Coordinator(silent, over)
            self.assertEqual(list(bellis.blocks(coordinator.context)), [])
        coordinator.thread.join(10)
        self.assertEqual([message["type"] for message in coordinator.got], ["join", "join"])

    def test_raises_when_it_is_refused_and_drops_what_was_revoked(self):
        def scene(_, link, read):
            read()
            send(link, welcome(), TASK, lease(9, 1))
            read()
            send(link, {"type": "revoked", "lease": 9})
            read()
            send(link, {"type": "refused", "code": "UNAUTHORIZED", "message": "no"})

        coordinator = Coordinator(scene)
        with self.assertRaises(bellis.Refused):
            for block in bellis.blocks(coordinator.context):
                while not block.is_cancelled:
                    pass
        coordinator.thread.join(10)
        self.assertEqual(coordinator.got[2], {"type": "dropped", "lease": 9})

    def test_writes_no_more_once_its_block_was_given_to_another_worker_although_nothing_reaches_it(self):
        with tempfile.TemporaryDirectory() as folder:
            mark = os.path.join(folder, ".bellis-run")

            def allow(leases):
                with open(mark + ".new", "w") as file:
                    json.dump({"id": "mine", **leases}, file)
                os.replace(mark + ".new", mark)

            def scene(_, link, read):
                read()
                send(link, welcome(), {**TASK, "task": {**TASK["task"], "owns": {"id": "mine", "outputs": [folder]}}})
                for number in (9, 10, 11):
                    send(link, lease(number, 1))
                    read()
                send(link, {"type": "drain"})
                read()

            allow({})
            ended = []
            for block in bellis.blocks(Coordinator(scene).context):
                if not ended:
                    allow({"leases": {"from": 11, "held": [10]}})
                    while not block.is_cancelled:
                        time.sleep(0.01)
                elif len(ended) == 1:
                    allow({"leases": {"from": 12, "held": [10]}})
                ended.append(block.is_cancelled)
            # The last one did not begin.
            self.assertEqual(ended, [True, False])

    def test_reports_a_block_at_once_when_told_so_and_skipped_blocks_as_such(self):
        def scene(_, link, read):
            read()
            send(link, welcome(), TASK, lease(9, 3))
            for _ in range(3):
                read()

        coordinator = Coordinator(scene)
        for block in bellis.blocks(coordinator.context):
            if block.index == 0:
                block.done()
                block.done()
            elif block.index == 1:
                block.skip()
                block.done()
            else:
                break
        coordinator.thread.join(10)
        first, second = coordinator.got[2:4]
        self.assertEqual([outcome["status"] for outcome in first["outcomes"]], ["done"])
        self.assertEqual(second["outcomes"], [{"status": "skipped"}])

    def test_says_that_a_block_advances_but_not_more_than_once_a_second(self):
        def scene(_, link, read):
            read()
            send(link, welcome(), TASK, lease(9, 1))
            while read()["type"] != "goodbye":
                pass

        coordinator = Coordinator(scene)
        for block in bellis.blocks(coordinator.context):
            block.progress()
            block.progress()
            break
        coordinator.thread.join(10)
        self.assertEqual([message["type"] for message in coordinator.got].count("progress"), 1)

    def test_prints_the_traceback_of_a_failed_block_for_the_log(self):
        def scene(_, link, read):
            read()
            send(link, welcome(), TASK, lease(9, 1))
            for _ in range(2):
                read()
            send(link, {"type": "drain"})

        coordinator = Coordinator(scene)
        with unittest.mock.patch("sys.stderr", io.StringIO()) as log:
            for block in bellis.blocks(coordinator.context):
                with block:
                    1 // 0
        coordinator.thread.join(10)
        self.assertIn("block t/0 failed:\n  Traceback", log.getvalue())
        self.assertIn("    1 // 0\n", log.getvalue())

    def test_returns_its_block_at_the_end_of_a_program_that_has_not_left_the_loop(self):
        def scene(_, link, read):
            read()
            send(link, welcome(), TASK, lease(9, 2))
            while read()["type"] != "goodbye":
                pass

        coordinator = Coordinator(scene)
        program = "import bellis, sys; loop = bellis.blocks(sys.argv[1]); next(loop); block = next(loop)"
        ended = subprocess.run(
            [sys.executable, "-c", program, coordinator.context], capture_output=True, text=True, timeout=30
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        coordinator.thread.join(10)
        outcomes = [outcome for message in coordinator.got for outcome in message.get("outcomes", [])]
        self.assertEqual([outcome["status"] for outcome in outcomes], ["done", "returned"])

    def test_knows_where_the_voxels_of_its_blocks_are(self):
        placed = {**TASK, "task": {**TASK["task"], "voxels": {"voxelSize": [2, 4], "offset": [-2, -8]}}}

        def scene(_, link, read):
            read()
            send(link, welcome(), placed, lease(9, 1))
            while read()["type"] != "outcomes":
                pass
            send(link, {"type": "drain"})
            while read()["type"] != "goodbye":
                pass

        coordinator = Coordinator(scene)
        for block in bellis.blocks(coordinator.context):
            self.assertEqual((block.voxel_size, block.array_offset), ((2, 4), (-2, -8)))
            self.assertEqual(block.to_slices(), (slice(1, 3), slice(0, 2)))

    def test_names_the_only_task_that_it_does(self):
        coordinator = Coordinator(lambda _, link, read: (read(), send(link, welcome(), {"type": "drain"})))
        self.assertEqual(list(bellis.blocks(coordinator.context, task="t")), [])
        coordinator.thread.join(10)
        self.assertEqual(coordinator.got[0]["task"], "t")

    def test_says_that_a_run_is_not_running(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(bellis.BellisError):
            bellis.blocks(run=os.path.join(folder, "none"))


class Package(unittest.TestCase):
    def build(self, folder, now):
        """Copies the package at a time, and builds it then. Returns the wheel and the source distribution."""
        os.mkdir(folder)
        for name in ("bellis.py", "build_backend.py", "pyproject.toml", "README.md"):
            shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), folder)
            os.utime(os.path.join(folder, name), (now, now))
        spec = importlib.util.spec_from_file_location("build_backend", os.path.join(folder, "build_backend.py"))
        backend = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(backend)
        with unittest.mock.patch("time.time", lambda: now):
            built = [backend.build_wheel(folder), backend.build_sdist(folder)]
        contents = []
        for name in built:
            with open(os.path.join(folder, name), "rb") as file:
                contents.append(file.read())
        return contents

    def test_has_the_same_bytes_whenever_and_wherever_it_is_built(self):
        with tempfile.TemporaryDirectory() as folder:
            first = self.build(os.path.join(folder, "first"), 1_000_000_000)
            self.assertEqual(self.build(os.path.join(folder, "second"), 1_500_000_000), first)
            with tarfile.open(fileobj=io.BytesIO(first[1])) as archive:
                self.assertEqual(len(archive.getnames()), 4)
            with unittest.mock.patch.dict(os.environ, {"SOURCE_DATE_EPOCH": "1600000000"}):
                dated = self.build(os.path.join(folder, "dated"), 1_000_000_000)
            with zipfile.ZipFile(io.BytesIO(dated[0])) as archive:
                self.assertEqual({entry.date_time for entry in archive.infolist()}, {(2020, 9, 13, 12, 26, 40)})


if __name__ == "__main__":
    unittest.main()
