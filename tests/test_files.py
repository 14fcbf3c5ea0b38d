"""Where a path may lead: every kind of link and file, of every owner, in every kind of folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from levo.files import UnsafePathError, open_folder, open_for_writing, sudo_caller, writable_by_others

STRANGER, CALLER = 54321, 54322
needs_root = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes files of other users"),
]


def write(path: Path | str, owner: tuple[int, int] | None = None) -> None:
    with open(open_for_writing(path, owner), "wb") as file:
        file.write(b"new")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that everybody can write, as /tmp is."""
    made = tmp_path / "shared"
    made.mkdir()
    made.chmod(0o1777)
    return made


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    made = tmp_path / "victim"
    made.write_bytes(b"precious")
    return made


class TestHonestPaths:
    def test_a_file_is_made_for_its_owner_alone(self, tmp_path: Path) -> None:
        old = os.umask(0)
        try:
            write(tmp_path / "new")
        finally:
            os.umask(old)
        assert (tmp_path / "new").read_bytes() == b"new"
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600

    def test_a_file_that_is_there_is_emptied_and_keeps_its_mode(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"longer than new")
        (tmp_path / "file").chmod(0o640)
        write(tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == b"new"
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640

    def test_relative_paths_and_dots(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a").mkdir()
        monkeypatch.chdir(tmp_path / "a")
        for path in ("one", "./two", "../three", "..//a/./four", str(tmp_path / "a/../five")):
            write(path)
        assert {each.name for each in tmp_path.rglob("*") if each.is_file()} == {
            "one",
            "two",
            "three",
            "four",
            "five",
        }

    @pytest.mark.parametrize("target", ["target", "../outside", "/ABSOLUTE/target"])
    def test_own_links_are_followed_to_files_and_folders(self, tmp_path: Path, target: str) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "link").symlink_to(target.replace("/ABSOLUTE", str(tmp_path)))
        (tmp_path / "to-folder").symlink_to("folder")
        write(tmp_path / "to-folder" / "link")
        assert (folder / "link").is_symlink() and (folder / "link").read_bytes() == b"new"

    def test_standard_output_under_its_names(self, tmp_path: Path) -> None:
        script = (
            "import os, sys; from levo.files import open_for_writing as o; os.write(o(sys.argv[1]), b'new')"
        )
        for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1"):
            done = subprocess.run([sys.executable, "-c", script, name], capture_output=True)
            assert done.stdout == b"new", (name, done.stderr)
            with (tmp_path / "out").open("wb") as file:
                subprocess.run([sys.executable, "-c", script, name], stdout=file, check=True)
            assert (tmp_path / "out").read_bytes() == b"new", name

    def test_devices_and_pipes(self, tmp_path: Path, shared: Path) -> None:
        write("/dev/null")
        for pipe in (tmp_path / "pipe", shared / "pipe"):
            os.mkfifo(pipe)
            found: list[bytes] = []
            reader = threading.Thread(target=lambda pipe=pipe, found=found: found.append(pipe.read_bytes()))
            reader.start()
            write(pipe)
            reader.join(90)
            assert found == [b"new"]

    def test_a_second_name_in_a_folder_of_ones_own_is_nobody_elses(
        self, tmp_path: Path, victim: Path
    ) -> None:
        os.link(victim, tmp_path / "second")
        write(tmp_path / "second")
        assert victim.read_bytes() == b"new"

    def test_own_files_and_links_in_a_shared_folder(self, shared: Path, victim: Path) -> None:
        (shared / "own").write_bytes(b"old")
        (shared / "link").symlink_to(victim)
        write(shared / "own")
        write(shared / "link")
        assert (shared / "own").read_bytes() == victim.read_bytes() == b"new"

    @pytest.mark.parametrize(
        ("path", "error"),
        [
            ("absent/file", FileNotFoundError),
            ("file/file", NotADirectoryError),
            ("folder", IsADirectoryError),
            ("folder/", IsADirectoryError),
            ("circle", OSError),
            ("circle/file", OSError),
            ("dangling/file", FileNotFoundError),
        ],
    )
    def test_paths_that_cannot_be(self, tmp_path: Path, path: str, error: type[OSError]) -> None:
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "folder").mkdir()
        (tmp_path / "circle").symlink_to("circle")
        (tmp_path / "dangling").symlink_to("absent")
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(error):
            open_for_writing(f"{tmp_path}/{path}")
        assert len(os.listdir("/proc/self/fd")) == before, "nothing stays open"

    def test_an_empty_path_is_none(self) -> None:
        with pytest.raises(FileNotFoundError):
            open_for_writing("")

    def test_a_second_name_in_a_shared_folder_is_refused(self, shared: Path, victim: Path) -> None:
        os.link(victim, shared / "out")
        with pytest.raises(UnsafePathError, match="hard link"):
            write(shared / "out")
        assert victim.read_bytes() == b"precious"


def planted_link(shared: Path, victim: Path) -> Path:
    (shared / "out").symlink_to(victim)
    os.chown(shared / "out", STRANGER, STRANGER, follow_symlinks=False)
    return shared / "out"


def planted_dangling_link(shared: Path, victim: Path) -> Path:
    (shared / "out").symlink_to(victim.with_name("made"))
    os.chown(shared / "out", STRANGER, STRANGER, follow_symlinks=False)
    return shared / "out"


def planted_folder(shared: Path, victim: Path) -> Path:
    (shared / "logs").symlink_to(victim.parent)
    os.chown(shared / "logs", STRANGER, STRANGER, follow_symlinks=False)
    return shared / "logs" / "victim"


def own_link_to_planted_link(shared: Path, victim: Path) -> Path:
    (victim.parent / "own").symlink_to(planted_link(shared, victim))
    return victim.parent / "own"


def planted_file(shared: Path, victim: Path) -> Path:
    (shared / "out").write_bytes(b"")
    os.chown(shared / "out", STRANGER, STRANGER)
    (shared / "out").chmod(0o666)
    return shared / "out"


def planted_pipe(shared: Path, victim: Path) -> Path:
    os.mkfifo(shared / "out")
    os.chown(shared / "out", STRANGER, STRANGER)
    return shared / "out"


def folder_of_a_stranger(shared: Path, victim: Path) -> Path:
    shared.chmod(0o755)
    os.chown(shared, STRANGER, STRANGER)
    return planted_link(shared, victim)


class TestPlanted:
    pytestmark = needs_root

    @pytest.mark.parametrize(
        "plant",
        [
            planted_link,
            planted_dangling_link,
            planted_folder,
            own_link_to_planted_link,
            planted_file,
            planted_pipe,
            folder_of_a_stranger,
        ],
    )
    @pytest.mark.parametrize("mode", [0o1777, 0o777, 0o775, None])
    def test_what_a_stranger_put_there_is_refused(
        self, shared: Path, victim: Path, plant: Callable[[Path, Path], Path], mode: int | None
    ) -> None:
        path = plant(shared, victim)
        if mode is not None:
            shared.chmod(mode)
        with pytest.raises(UnsafePathError):
            write(path)
        with pytest.raises(UnsafePathError):
            write(path, (CALLER, CALLER))
        assert victim.read_bytes() == b"precious"
        assert not victim.with_name("made").exists()

    def test_the_caller_of_sudo_is_no_stranger(self, shared: Path, victim: Path) -> None:
        (shared / "link").symlink_to(victim)
        os.chown(shared / "link", CALLER, CALLER, follow_symlinks=False)
        write(shared / "link", (CALLER, CALLER))
        assert victim.read_bytes() == b"new" and victim.stat().st_uid == 0, (
            "a file that was there keeps its owner"
        )
        write(shared / "fresh", (CALLER, CALLER + 1))
        assert ((shared / "fresh").stat().st_uid, (shared / "fresh").stat().st_gid) == (CALLER, CALLER + 1)
        with pytest.raises(UnsafePathError):
            write(shared / "link")

    def test_a_link_of_a_stranger_where_only_we_can_have_put_it(self, tmp_path: Path, victim: Path) -> None:
        (tmp_path / "link").symlink_to(victim)
        os.chown(tmp_path / "link", STRANGER, STRANGER, follow_symlinks=False)
        write(tmp_path / "link")
        assert victim.read_bytes() == b"new"

    def test_links_swapped_meanwhile_lead_nowhere(self, shared: Path, victim: Path) -> None:
        """A thread plays the stranger: the path is a file of ours and a link of the stranger's in turn."""
        path, stop = shared / "out", threading.Event()

        def swap() -> None:
            while not stop.is_set():
                link, file = shared / "link", shared / "file"
                link.symlink_to(victim)
                os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
                link.rename(path)
                file.write_bytes(b"")
                file.rename(path)

        stranger = threading.Thread(target=swap)
        stranger.start()
        opened = refused = 0
        try:
            while opened < 200 or refused < 20:
                try:
                    write(path)
                    opened += 1
                except OSError:
                    refused += 1
                assert victim.read_bytes() == b"precious"
        finally:
            stop.set()
            stranger.join()


class TestFolder:
    def test_it_is_made_with_its_parents_for_us_alone(self, tmp_path: Path) -> None:
        descriptor, warnings = open_folder(tmp_path / "a" / "b")
        os.close(descriptor)
        assert warnings == []
        assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b")] == [0o700, 0o700]

    def test_a_file_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(NotADirectoryError):
            open_folder(tmp_path / "file")

    @pytest.mark.root
    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes files of other users")
    def test_a_link_of_a_stranger_leads_nowhere(self, shared: Path, tmp_path: Path) -> None:
        (shared / "spool").symlink_to(tmp_path)
        os.chown(shared / "spool", STRANGER, STRANGER, follow_symlinks=False)
        with pytest.raises(UnsafePathError, match=f"{shared}/spool is a link of user {STRANGER}"):
            open_folder(shared / "spool")
        with pytest.raises(UnsafePathError):
            open_folder(shared / "spool" / "inner")

    @pytest.mark.root
    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes files of other users")
    def test_what_is_made_belongs_to_the_caller_of_sudo(self, tmp_path: Path) -> None:
        descriptor, _ = open_folder(tmp_path / "a" / "b", (CALLER, CALLER))
        os.close(descriptor)
        assert {(tmp_path / each).stat().st_uid for each in ("a", "a/b")} == {CALLER}
        assert tmp_path.stat().st_uid == 0


class TestWritableByOthers:
    def test_a_file_of_ones_own_is_not(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        assert writable_by_others(tmp_path / "file") == writable_by_others(tmp_path / "absent") == ""
        (tmp_path / "file").chmod(0o664)
        assert writable_by_others(tmp_path / "file") == "", "users have groups of their own"

    def test_modes_of_the_file_and_of_its_folders(self, tmp_path: Path, shared: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "file").chmod(0o666)
        assert writable_by_others(tmp_path / "file") == "every user may write it"
        (shared / "file").write_bytes(b"")
        assert writable_by_others(shared / "file") == ""
        shared.chmod(0o777)
        assert writable_by_others(shared / "file") == f"every user may write {shared}"

    def test_pipes_and_devices_are_what_the_user_says(self) -> None:
        assert writable_by_others("/dev/null") == ""
        read, write = os.pipe()
        assert writable_by_others(f"/dev/fd/{read}") == ""
        os.close(read)
        os.close(write)

    @pytest.mark.root
    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes files of other users")
    def test_owners(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        os.chown(tmp_path / "file", STRANGER, STRANGER)
        assert writable_by_others(tmp_path / "file") == f"it belongs to user {STRANGER}"
        assert writable_by_others(tmp_path / "file", (STRANGER, STRANGER)) == ""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SUDO_UID": "5", "SUDO_GID": "6"}, (5, 6)),
        ({"SUDO_UID": "5", "SUDO_GID": "0"}, (5, 0)),
        ({}, None),
        ({"SUDO_UID": "5"}, None),
        ({"SUDO_UID": "0", "SUDO_GID": "0"}, None),
        ({"SUDO_UID": "-5", "SUDO_GID": "6"}, None),
        ({"SUDO_UID": "\u0665", "SUDO_GID": "6"}, None),
        ({"SUDO_UID": "4294967295", "SUDO_GID": "6"}, None),
        ({"SUDO_UID": "99999999999", "SUDO_GID": "6"}, None),
    ],
)
def test_who_called_sudo(variables: dict[str, str], expected: tuple[int, int] | None) -> None:
    assert sudo_caller(variables) == expected
