"""Small C++ sources through the machine's real compiler."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from rnnbench.errors import BuildError
from rnnbench.recurrence import build
from rnnbench.recurrence.build import Compiler, find_compiler, library

pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in build.COMPILERS), reason="no C++ compiler"
)

SOURCE = 'extern "C" __attribute__((visibility("default"))) int answer() { return 42; }'
SIX = SOURCE.replace("42", "6")

BUILD_AND_ASK = """
import sys
from pathlib import Path
from rnnbench.recurrence.build import find_compiler, library
source, command, folder = sys.argv[1:]
print(library(source, find_compiler(command=command), Path(folder)).answer())
"""

MEET = """
case "$*" in *kernel.cpp*)
    touch {meeting}/$$
    for attempt in $(seq 3000); do
        [ $(ls {meeting} | wc -l) -ge 2 ] && break
        sleep 0.01
    done
esac
exec {compiler} "$@"
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a folder that others may enter, as they may not what pytest makes."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path


@pytest.fixture
def compiler() -> Compiler:
    return find_compiler()


@pytest.fixture
def gone(compiler: Compiler, tmp_path: Path) -> Compiler:
    """Return the compiler, if it were no longer there: what it built, it built before."""
    return replace(compiler, command=str(tmp_path / "gone"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kernels"


@pytest.fixture
def other_folder(tmp_path: Path) -> Path:
    """Return a second folder: what this process has loaded from the first, it would not reload."""
    path = tmp_path / "other"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def kept(compiler: Compiler, folder: Path, other_folder: Path) -> Path:
    """Return a built file that this process has not loaded."""
    library(SOURCE, compiler, folder)
    (path,) = folder.iterdir()
    return Path(shutil.copy2(path, other_folder))


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_source_is_compiled_and_its_functions_can_be_called(compiler, folder):
    assert library(SOURCE, compiler, folder).answer() == 42


def test_a_library_is_compiled_once(compiler, gone, folder):
    library(SOURCE, compiler, folder)
    assert library(SOURCE, gone, folder).answer() == 42


def test_a_kept_library_is_loaded_from_a_folder_that_was_not_used_before(gone, kept):
    assert library(SOURCE, gone, kept.parent).answer() == 42


def test_a_folder_may_be_relative(gone, kept, monkeypatch):
    monkeypatch.chdir(kept.parent)
    assert library(SOURCE, gone, Path()).answer() == 42


@pytest.mark.parametrize(
    "change",
    [{"machine": "another"}, {"version": "another"}, {"flags": (*build.FLAGS, "-march=x86-64")}],
)
def test_another_machine_or_other_flags_are_another_library(change, compiler, gone, folder):
    library(SOURCE, compiler, folder)
    with pytest.raises(BuildError, match="cannot be started"):
        library(SOURCE, replace(gone, **change), folder)


def test_two_sources_are_kept_side_by_side(compiler, folder):
    assert [library(source, compiler, folder).answer() for source in (SOURCE, SIX)] == [42, 6]
    assert len(names(folder)) == 2


def test_processes_that_build_at_once_both_succeed_and_leave_one_file(compiler, folder, tmp_path):
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    text = MEET.format(meeting=meeting, compiler=compiler.command)
    patient = script(tmp_path / "patient", text)
    command = [sys.executable, "-c", BUILD_AND_ASK, SOURCE, patient, str(folder)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in running] == ["42\n"] * 2
    assert len(names(meeting)) == 2
    assert [name.endswith(".so") for name in names(folder)] == [True]


def test_only_the_user_may_write_what_is_built_whatever_the_umask(compiler, gone, folder):
    before = os.umask(0)
    try:
        library(SOURCE, compiler, folder)
    finally:
        os.umask(before)
    (path,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert library(SOURCE, gone, folder).answer() == 42


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = {
    "one bit flipped": flipped,
    "cut short": lambda content: content[:-1],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_built_anew(damage, compiler, kept):
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert library(SOURCE, compiler, kept.parent).answer() == 42
    assert [path.read_bytes() for path in kept.parent.iterdir()] == [whole]


def test_a_file_that_others_may_write_to_is_built_anew(compiler, gone, kept):
    kept.chmod(0o620)
    with pytest.raises(BuildError, match="cannot be started"):
        library(SOURCE, gone, kept.parent)
    assert names(kept.parent) == []
    assert library(SOURCE, compiler, kept.parent).answer() == 42


def test_a_file_that_does_not_load_is_built_anew(compiler, kept):
    content = b"never a library"
    key = kept.stem.partition("-")[0]
    kept.rename(kept.with_name(f"{key}-{sha256(content).hexdigest()[:32]}.so")).write_bytes(content)
    assert library(SOURCE, compiler, kept.parent).answer() == 42
    assert names(kept.parent) == [kept.name]


def test_a_link_to_a_file_is_replaced_by_a_file(compiler, kept, tmp_path):
    kept.rename(tmp_path / "elsewhere.so")
    kept.symlink_to(tmp_path / "elsewhere.so")
    assert library(SOURCE, compiler, kept.parent).answer() == 42
    assert not kept.is_symlink()


def given_away(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, 12345)


def test_a_file_of_somebody_else_is_built_anew(gone, kept):
    given_away(kept)
    with pytest.raises(BuildError, match="cannot be started"):
        library(SOURCE, gone, kept.parent)
    assert names(kept.parent) == []


def test_a_folder_of_somebody_else_is_refused_with_a_cure(gone, kept):
    given_away(kept.parent)
    with pytest.raises(BuildError, match="user 12345 owns it, and you are user 0") as caught:
        library(SOURCE, gone, kept.parent)
    assert str(kept.parent) in str(caught.value)
    assert "set XDG_CACHE_HOME" in str(caught.value)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(mode, gone, kept):
    kept.parent.chmod(mode)
    with pytest.raises(BuildError, match="others may write to it"):
        library(SOURCE, gone, kept.parent)


def test_a_folder_that_is_a_link_is_refused(gone, kept, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(kept.parent)
    with pytest.raises(BuildError, match="it is a link"):
        library(SOURCE, gone, link)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_inside_one_that_others_may_write_to_is_refused_with_a_cure(mode, gone, kept):
    above = kept.parent.parent
    above.chmod(mode)
    with pytest.raises(BuildError, match=r"others may write to .* \(chmod go-w\)\.") as caught:
        library(SOURCE, gone, kept.parent)
    said = f"no kernel is loaded from {kept.parent}: others may write to {above} "
    assert str(caught.value).startswith(said)
    assert "set XDG_CACHE_HOME" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_further_up_that_others_may_write_to_is_refused_and_nothing_is_made_in_it(
    gone, tmp_path
):
    tmp_path.chmod(0o777)
    with pytest.raises(BuildError, match=f"others may write to {tmp_path} "):
        library(SOURCE, gone, tmp_path / "cache" / "rnnbench" / "kernels")
    assert names(tmp_path) == []


def test_a_folder_inside_one_of_somebody_else_is_refused(gone, kept):
    given_away(kept.parent.parent)
    with pytest.raises(BuildError, match=f"user 12345 owns {kept.parent.parent}, and you are"):
        library(SOURCE, gone, kept.parent)


def test_below_a_folder_that_is_closed_to_others_they_may_have_rights(compiler, tmp_path):
    for name, mode in (("home", 0o700), (".cache", 0o775), ("app", 0o777)):
        tmp_path = tmp_path / name
        tmp_path.mkdir()
        tmp_path.chmod(mode)
    assert library(SOURCE, compiler, tmp_path / "kernels").answer() == 42
    tmp_path.parents[1].chmod(0o750)
    with pytest.raises(BuildError, match=r"others may write to .*/home/\.cache "):
        library(SOURCE, compiler, tmp_path / "kernels")


def test_a_folder_of_the_user_in_a_sticky_one_is_private(gone, kept):
    kept.parent.parent.chmod(0o1777)
    assert library(SOURCE, gone, kept.parent).answer() == 42


def test_a_folder_of_somebody_else_in_a_sticky_one_is_refused(gone, kept, tmp_path):
    inside = tmp_path / "cache" / "kernels"
    inside.parent.mkdir()
    kept.parent.rename(inside)
    given_away(inside.parent)
    tmp_path.chmod(0o1777)
    with pytest.raises(BuildError, match=f"user 12345 owns {inside.parent}"):
        library(SOURCE, gone, inside)


def test_a_link_on_the_way_leads_to_a_folder_that_is_looked_at_itself(gone, kept, tmp_path):
    (tmp_path / "cache").mkdir()
    inside = kept.parent.rename(tmp_path / "cache" / "kernels")
    (tmp_path / "link").symlink_to(tmp_path / "cache")
    assert library(SOURCE, gone, tmp_path / "link" / "kernels").answer() == 42
    inside.parent.chmod(0o777)
    with pytest.raises(BuildError, match=f"others may write to {inside.parent} "):
        library(SOURCE, gone, tmp_path / "link" / "kernels")


def test_every_folder_that_is_made_is_private_whatever_the_umask(compiler, tmp_path):
    before = os.umask(0)
    try:
        library(SOURCE, compiler, tmp_path / "cache" / "rnnbench" / "kernels")
    finally:
        os.umask(before)
    made = [tmp_path / "cache", tmp_path / "cache" / "rnnbench"]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700, 0o700]


def test_a_place_that_cannot_be_written_to_is_a_reason(compiler, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match="file is a link or a file, not a folder"):
        library(SOURCE, compiler, tmp_path / "file" / "kernels")


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_disk_that_takes_nothing_is_a_reason(number, compiler, folder, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(BuildError, match=os.strerror(number)):
        library(SOURCE, compiler, folder)


def test_a_disk_that_fills_while_compiling_is_a_reason_and_nothing_is_left(
    compiler, folder, tmp_path
):
    full = script(tmp_path / "full", f'ulimit -f 0; exec {compiler.command} "$@"')
    with pytest.raises(BuildError, match=r"(?i)file size limit|file too large"):
        library(SOURCE, replace(compiler, command=full), folder)
    assert names(folder) == []


def test_a_failed_build_says_its_first_error_and_leaves_nothing(compiler, folder):
    with pytest.raises(BuildError, match=r"kernel\.cpp:2:5: error: .*nonsense") as caught:
        library("int f() {\n    nonsense here;\n    more nonsense;\n}", compiler, folder)
    assert "\n" not in str(caught.value)
    assert names(folder) == []


def test_what_cannot_be_loaded_is_a_reason_and_not_kept(compiler, folder):
    source = 'extern "C" int nowhere(); extern "C" int answer() { return nowhere(); }'
    with pytest.raises(BuildError, match=r"cannot be loaded: .*nowhere"):
        library(source, compiler, folder)
    assert names(folder) == []


@pytest.mark.parametrize(("age", "left"), [(2 * build.ABANDONED, 1), (0, 2)])
def test_only_an_old_unfinished_build_is_removed(age, left, compiler, folder):
    library(SOURCE, compiler, folder)
    unfinished = folder / ".building-killed"
    unfinished.mkdir()
    (unfinished / "kernel.cpp").touch()
    then = unfinished.stat().st_mtime - age
    os.utime(unfinished, (then, then))
    library(SIX, compiler, folder)
    assert len(names(folder)) == left + 1


def test_an_unfinished_build_that_cannot_be_removed_stops_none(compiler, folder, tmp_path):
    folder.mkdir(mode=0o700)
    link = folder / ".building-link"
    link.symlink_to(tmp_path)
    os.utime(link, (0, 0), follow_symlinks=False)
    assert library(SOURCE, compiler, folder).answer() == 42


def test_without_a_compiler_the_reason_names_those_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"no C\+\+ compiler: g\+\+, clang\+\+, c\+\+ not found"):
        find_compiler()
    with pytest.raises(BuildError, match="mine not found"):
        find_compiler(command="mine")


def test_gcc_is_preferred_then_clang_and_any_can_be_named(tmp_path, monkeypatch):
    for name in ("g++", "clang++", "c++", "mine"):
        script(tmp_path / name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler(command="mine").command == str(tmp_path / "mine")
    for name in ("g++", "clang++", "c++"):
        assert find_compiler().command == str(tmp_path / name)
        (tmp_path / name).unlink()


def test_windows_has_no_kernels(monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Windows")
    with pytest.raises(BuildError, match="Windows"):
        find_compiler()


def test_an_unknown_target_is_a_reason():
    with pytest.raises(BuildError, match="no-such-cpu"):
        find_compiler("no-such-cpu")


def test_a_broken_compiler_is_a_reason(tmp_path):
    with pytest.raises(BuildError, match="failed: no licence"):
        find_compiler(command=script(tmp_path / "broken", "echo no licence >&2; exit 1"))
    with pytest.raises(BuildError, match="failed: exit status 3"):
        find_compiler(command=script(tmp_path / "mute", "exit 3"))


def test_of_a_failed_link_the_linker_is_quoted_and_not_its_caller(tmp_path):
    said = "ld: cannot find -lx\ncollect2: error: ld returned 1 exit status"
    with pytest.raises(BuildError, match=r"failed: ld: cannot find -lx$"):
        find_compiler(command=script(tmp_path / "linker", f'echo "{said}" >&2; exit 1'))


def test_a_compiler_named_by_a_relative_path_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script(tmp_path / "mine", "exit 0")
    assert find_compiler(command="./mine").command == str(tmp_path / "mine")


def test_a_compiler_that_does_not_end_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "PATIENCE", 0.1)
    with pytest.raises(BuildError, match=r"took more than 0\.1 seconds"):
        find_compiler(command=script(tmp_path / "slow", "exec sleep 5"))


MACROS = """
case "$*" in
    --version) echo "mine {version}"; echo "more";;
    {refuses}) echo "error: unknown value" >&2; exit 1;;
    *) echo "#define {macro} 1";;
esac
"""


def pretended(
    path: Path, *, version: str = "1.0", macro: str = "__x__", refuses: str = "nothing"
) -> Compiler:
    text = MACROS.format(version=version, macro=macro, refuses=refuses)
    return find_compiler(command=script(path / "mine", text))


def test_version_and_meaning_of_the_target_identify_a_compiler(tmp_path):
    first = pretended(tmp_path)
    assert pretended(tmp_path) == first
    assert str(first).startswith("mine 1.0 -")
    assert pretended(tmp_path, version="1.1") != first
    assert pretended(tmp_path, macro="__y__") != first


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs /proc/cpuinfo")
def test_the_features_of_the_cpu_identify_a_compiler(compiler):
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    features = next(line for line in lines if line.startswith(("flags", "Features")))
    assert features in compiler.machine.splitlines()


def test_wide_vectors_are_asked_for_where_the_cpu_has_them(tmp_path):
    wide = "-mprefer-vector-width=512"
    assert wide in pretended(tmp_path, macro="__AVX512F__").flags
    assert wide not in pretended(tmp_path, macro="__AVX2__").flags


def test_a_compiler_that_knows_native_only_as_mcpu_is_asked_so(tmp_path):
    assert pretended(tmp_path).flags[-1] == "-march=native"
    assert pretended(tmp_path, refuses="-march=*").flags[-1] == "-mcpu=native"


@pytest.mark.parametrize("name", ["g++", "clang++"])
@pytest.mark.parametrize("target", ["native", "haswell", "x86-64"])
def test_each_compiler_builds_for_each_target(name, target, folder):
    if not shutil.which(name):
        pytest.skip(f"no {name}")
    if os.uname().machine != "x86_64" and target != "native":
        pytest.skip(f"{target} is an x86 CPU")
    source = f"""
        #include <cmath>
        {SOURCE}
        extern "C" __attribute__((visibility("default"))) int nan_is_seen(float x) {{
            return std::isnan(x);
        }}
        int hidden() {{ return 1; }}
    """
    loaded = library(source, find_compiler(target, name), folder)
    assert loaded.answer() == 42
    assert not hasattr(loaded, "_Z6hiddenv")


def test_no_flag_lets_denormals_or_nan_be_lost(compiler):
    assert not {"-ffast-math", "-Ofast", "-ffinite-math-only"} & set(compiler.flags)
