"""Compare the speed of training recurrent cells: rnnbench, torch's layers, a Python loop, JAX.

One forward and backward pass, one thread, float32; see README.md in this folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from cases import CASES, FIRST, SHAPES, Shape
from comparison import Comparison, Measured, Records, compare
from peak import peak
from process import Record, Request
from table import ONE_STEP, load, print_overhead, print_remarks, print_table

from rnnbench.errors import BuildError
from rnnbench.machine import hardware

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NPROC": "1",  # XLA's pool of threads
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}
HELD_TO_AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}


def main() -> None:
    """Measure, print the table, and write it as JSON where asked."""
    asked = _arguments()
    layers = Request(
        cases=tuple(asked.cells),
        shapes=tuple(map(str, asked.shapes)),
        against=("layer",),
        tuned=True,
        backend=asked.backend,
        target="native",
        repeats=asked.repeats,
        seconds=asked.seconds,
    )
    _print_machine()
    if asked.overhead:
        lengths = (str(ONE_STEP), str(FIRST))
        print_overhead(asked.cells, _run("overhead", replace(layers, shapes=lengths)))
        return
    measured = _measure(layers, with_jax=not asked.skip_jax)
    comparisons = [
        line
        for name in asked.cells
        for shape in asked.shapes
        for line in compare(name, shape, measured)
    ]
    print_table(comparisons)
    print_remarks(comparisons, measured.peak)
    if asked.json:
        _write(asked.json, comparisons, measured.peak)


def _measure(layers: Request, with_jax: bool) -> Measured:
    against = ("loop", "scan") if with_jax else ("loop",)
    return Measured(
        peak=_peak(),
        tuned=_run("torch's layers, tuned allocator", layers),
        default=_run("torch's layers, default allocator", replace(layers, tuned=False)),
        # not in the first process: what they leave in caches and heap slows the layers by a fifth
        others=_run("loop and JAX, tuned allocator", replace(layers, against=against)),
        avx2=_run_avx2(layers),
    )


def _run(title: str, request: Request, extra: Mapping[str, str] = MappingProxyType({})) -> Records:
    """Measure in a new process, showing on standard error how far it is."""
    records: Records = {}
    # one arena, as in a worker, so that the tuning holds for JAX's threads too
    arenas = {"MALLOC_ARENA_MAX": "1"} if request.tuned else {}
    with subprocess.Popen(  # noqa: S603  the words are this module's own
        [sys.executable, str(Path(__file__).with_name("process.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD, **arenas, **extra},
    ) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101  tells mypy
        with process.stdin:
            json.dump(asdict(request), process.stdin)
        for line in process.stdout:
            record = Record.read(line)
            records[record.case, record.shape, record.against] = record
            print(f"{title}: {record.shape} {record.case}", file=sys.stderr)
    if process.returncode != 0:
        print(f"{title}: the process ended with {process.returncode}", file=sys.stderr)
    return records


def _run_avx2(request: Request) -> Records:
    if "lstm" not in request.cases or platform.machine() not in ("x86_64", "AMD64"):
        return {}
    only_lstm = replace(request, cases=("lstm",), target="haswell")
    return _run("both sides held to AVX2, tuned allocator", only_lstm, HELD_TO_AVX2)


def _peak() -> float | None:
    try:
        return peak()
    except BuildError as error:
        print(f"no peak: {error}", file=sys.stderr)
        return None


def _print_machine() -> None:
    here = hardware()
    jax = version("jax") if importlib.util.find_spec("jax") else "not installed"
    print(f"{here['cpu']}, {here['cores']} cores, {here['system']}")
    print(f"Python {platform.python_version()}, torch {version('torch')}, JAX {jax}")
    print(f"load before: {load()}")


def _write(path: Path, comparisons: list[Comparison], peak: float | None) -> None:
    lines = [asdict(line) | {"reached": line.reached} for line in comparisons]
    content = {"hardware": hardware(), "peak_flops": peak, "comparisons": lines}
    path.write_text(json.dumps(content, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--shapes", nargs="+", type=Shape.read, default=SHAPES, metavar="T,B,I,H", help="sizes"
    )
    parser.add_argument("--cells", nargs="+", choices=CASES, default=list(CASES), help="cells")
    parser.add_argument("--repeats", type=int, default=7, help="rounds at least")
    parser.add_argument(
        "--seconds", type=float, default=0.3, help="begin further rounds until this much is used"
    )
    parser.add_argument("--backend", default="kernel", help="which backend is ours")
    parser.add_argument("--skip-jax", action="store_true")
    parser.add_argument(
        "--overhead", action="store_true", help="print only what does not grow with the sequence"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's time here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
