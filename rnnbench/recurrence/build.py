"""Turn C++ source into a loaded library, kept in a folder that nobody else can write to."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rnnbench.errors import BuildError

COMPILERS = ("g++", "clang++", "c++")
"""Looked for in this order."""

FLAGS = (
    "-std=c++17",
    "-O3",
    # not -ffast-math: it would flush denormals in the whole process and assume there is no NaN;
    # not -fno-signed-zeros: with it GCC takes 0 · x for 0, and hides that x is infinite
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
)

FEATURES = ("flags", "Features", "model name", "CPU implementer", "CPU part")
"""The lines of /proc/cpuinfo that tell what a CPU can do; x86 and ARM name them differently."""

DRIVERS = ("collect2:", "clang")
"""Who sums up at the end that something went wrong before."""

PATIENCE = 120
"""Seconds that a compiler may take."""

ABANDONED = 3600
"""Seconds after which an unfinished build is taken for one that was killed."""

_UNFINISHED = ".building-"


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler, and all of it that decides what it makes of a source.

    command     absolute path
    flags       the target's included
    version     as it says itself
    machine     the CPU it runs on, and what the target means there
    """

    command: str
    flags: tuple[str, ...]
    version: str
    machine: str

    def __str__(self) -> str:
        """Say what decides the numbers of a kernel, on one line."""
        return " ".join([self.version, *self.flags])


def find_compiler(target: str = "native", command: str | None = None) -> Compiler:
    """Find a C++ compiler on PATH, or the one called `command`, and the flags for a target.

    `target` is `native` or a name that the compiler's -march knows, such as `haswell`.

    Raises:
        BuildError: there is none, or it does not know the target.
    """
    if platform.system() == "Windows":
        raise BuildError("kernels are not built on Windows")
    names = COMPILERS if command is None else (command,)
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise BuildError(f"no C++ compiler: {', '.join(names)} not found on PATH")
    path = str(Path(found).absolute())
    version = _run([path, "--version"]).partition("\n")[0]
    architecture, meaning = _target(path, target)
    flags: tuple[str, ...] = (*FLAGS, architecture)
    if "__AVX512F__" in meaning:
        # compilers prefer vectors of half the width even where the whole one is there
        flags += ("-mprefer-vector-width=512",)
    return Compiler(path, flags, version, f"{_cpu()}\n{_digest(meaning.encode())}")


def silently() -> None:
    """Tell nobody that a compiler starts."""


def library(
    source: str, compiler: Compiler, folder: Path, compiling: Callable[[], None] = silently
) -> ctypes.CDLL:
    """Load the library that a source compiles to: from `folder`, else compiled into it.

    `compiling` is called before the compiler is.

    Several processes may do this at once. A file in the folder that is damaged, or that somebody
    else owns or may write to, is never loaded but removed, and built anew.

    Raises:
        BuildError: the source does not compile, the folder is not writable, or somebody else could
            put a file there or another folder in its place.
    """
    folder = folder.absolute()
    key = _digest(repr((source, compiler.flags, compiler.version, compiler.machine)).encode())
    try:
        # a link on the way may be changed later, and leads nowhere else once it is followed
        folder = folder.parent.resolve() / folder.name
        _make_private(folder)
        for path in sorted(folder.glob(f"{key}-*.so")):
            if (loaded := _cached(path)) is not None:
                return loaded
            path.unlink(missing_ok=True)
        _remove_abandoned(folder)
        compiling()
        return _built(source, compiler, folder, key)
    except OSError as error:
        raise BuildError(f"cannot keep a kernel in {folder}: {error.strerror or error}") from error


def _make_private(folder: Path) -> None:
    """Make a folder where it is missing, in folders where nobody else can replace it.

    Raises:
        BuildError: somebody else may write to the folder, or may rename one above it.
    """
    closed = False
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
        status, above = place.lstat(), place != folder
        name = str(place) if above else "it"
        fault = "" if closed and above else _risk(status, name, above=above)
        # nobody else gets below a folder that only its owner may enter
        closed = closed or (not fault and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
        if not stat.S_ISDIR(status.st_mode):
            fault = f"{name} is a link or a file, not a folder"
        if fault:
            raise BuildError(
                f"no kernel is loaded from {folder}: {fault}. Change that, or set XDG_CACHE_HOME "
                "to a folder that, like those above it, nobody else may write to."
            )


def _risk(status: os.stat_result, name: str = "it", *, above: bool = False) -> str:
    """Say how somebody else could have put code there, if so.

    above  whether it is a folder that only leads there
    """
    user = os.getuid()
    if status.st_uid != user and not (above and status.st_uid == 0):
        return f"user {status.st_uid} owns {name}, and you are user {user}"
    shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    # in a sticky folder, such as /tmp, nobody can rename what another owns
    if shared and not (above and status.st_mode & stat.S_ISVTX):
        return f"others may write to {name} (chmod go-w)"
    return ""


def _cached(path: Path) -> ctypes.CDLL | None:
    """Load a library from the folder, or return None where it is not what was put there."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or _risk(status):
            return None
        if _digest(path.read_bytes()) != path.stem.partition("-")[2]:
            return None
        loaded = ctypes.CDLL(str(path))
        with suppress(OSError):  # in a cache that can only be read
            os.utime(path)  # what was not used for long may be cleaned away
        return loaded
    except OSError:  # another process has just removed it
        return None


def _built(source: str, compiler: Compiler, folder: Path, key: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as place:
        made = Path(place, "kernel.so")
        Path(place, "kernel.cpp").write_text(source, encoding="utf-8")
        _run([compiler.command, *compiler.flags, "kernel.cpp", "-o", made.name], place)
        # the compiler follows the user's umask, which may let a group write
        made.chmod(0o600)
        # loaded before others can see it: whatever they do to the file, this process has it
        try:
            loaded = ctypes.CDLL(str(made))
        except OSError as error:
            raise BuildError(f"the kernel was built but cannot be loaded: {error}") from error
        made.replace(folder / f"{key}-{_digest(made.read_bytes())}.so")
    return loaded


def _remove_abandoned(folder: Path) -> None:
    for place in folder.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):  # its own process has just removed it
            if time.time() - place.lstat().st_mtime > ABANDONED:
                shutil.rmtree(place)


def _target(command: str, target: str) -> tuple[str, str]:
    """Return the flag that asks for a target, and the macros that the compiler defines for it."""
    macros = ["-dM", "-E", "-x", "c++", os.devnull]
    flag = f"-march={target}"
    try:
        return flag, _run([command, flag, *macros])
    except BuildError:
        if target != "native":
            raise
        # some compilers for ARM know `native` only here
        flag = "-mcpu=native"
        return flag, _run([command, flag, *macros])


def _cpu() -> str:
    """Describe the CPU: what was built for `native` on one may be illegal on another."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return f"{platform.machine()} {platform.processor()}"
    lines = info.read_text(errors="replace").splitlines()
    features = {line for line in lines if line.partition(":")[0].strip() in FEATURES}
    return "\n".join([platform.machine(), *sorted(features)])


def _run(words: Sequence[str], folder: str | None = None) -> str:
    """Run the compiler and return what it prints.

    Raises:
        BuildError: it cannot be started, takes too long or fails.
    """
    try:
        done = subprocess.run(  # noqa: S603  a list of words, and no shell
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=PATIENCE,
        )
    except OSError as error:
        raise BuildError(f"{words[0]} cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{words[0]} took more than {PATIENCE} seconds") from error
    if done.returncode != 0:
        fault = _first_error((done.stderr or done.stdout).splitlines())
        raise BuildError(f"{words[0]} failed: {fault or f'exit status {done.returncode}'}")
    return done.stdout


def _first_error(lines: Iterable[str]) -> str:
    """Return the first line that names an error, past those that say only where one is.

    What the linker says bears no mark; the driver's closing word on it says nothing.
    """
    said = [line.strip() for line in lines if line.strip()]
    marked = (each for each in said if "error:" in each and not each.startswith(DRIVERS))
    return next(marked, said[0] if said else "")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
