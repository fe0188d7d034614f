import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rnnbench.errors import SuiteError
from rnnbench.options import Between, Choice, LogBetween
from rnnbench.suite import Suite, read_suite, resolved

TEXT = """\
suite: long_dependency
question: How far back can each cell remember?
architectures:
  tanh: {cell: rnn}
  lstm: {cell: lstm, forget_bias: 1.5}
  peephole: {cell: peephole_lstm, search: {forget_bias: {between: [0, 5]}}}
  bilstm: {cell: lstm, bidirectional: true, search: true}
reference: lstm
settings:
  - {task: adding_uniform, length: [50, 100]}
  - {task: sequential_digits}
match: {parameters: 5000}
training: {optimizer: adam, batch: 32}
search:
  sampler: tpe
  space:
    learning_rate: {log: [1.0e-4, 3.0e-2]}
    clip: {choice: [0.5, 1, 5]}
budget:
  quick: {updates: 400, trials: 2, confirm: 0, seeds: 3, only: {architectures: [tanh]}}
  standard: {updates: 2000, trials: 9, seeds: 5}
allow_failures: 10%
"""


def read(folder: Path, text: str = TEXT, **arguments) -> Suite:
    path = folder / "x.yaml"
    path.write_text(text)
    return read_suite(path, **arguments)


def refusal(folder: Path, text: str = TEXT, **arguments) -> str:
    with pytest.raises(SuiteError) as caught:
        read(folder, text, **arguments)
    return str(caught.value).replace(f"{folder}/", "")


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def names(suite: Suite) -> list[str]:
    return [entry.name for entry in suite.chosen.settings]


def labels(suite: Suite) -> list[str]:
    return [entry.label for entry in suite.chosen.architectures]


def test_a_suite_reads_into_records(tmp_path):
    suite = read(tmp_path)
    assert (suite.name, suite.reference, suite.text) == ("long_dependency", "lstm", TEXT)
    assert suite.architectures["lstm"].options == {"forget_bias": 1.5}
    assert suite.architectures["tanh"].own is False
    assert suite.architectures["bilstm"].own is True
    assert suite.architectures["peephole"].own == {"forget_bias": Between(0, 5)}
    assert suite.contrasts == (("tanh", "lstm"), ("peephole", "lstm"), ("bilstm", "lstm"))
    assert [entry.name for entry in suite.settings] == [
        "adding_uniform(length=50)",
        "adding_uniform(length=100)",
        "sequential_digits",
    ]
    assert (suite.match.quantity, suite.match.value) == ("parameters", 5000)
    assert (suite.training.batch, suite.training.learning_rate) == (32, 1e-3)
    assert suite.search.space == {
        "learning_rate": LogBetween(1e-4, 3e-2),
        "clip": Choice((0.5, 1.0, 5.0)),
    }
    assert (suite.search.generation, suite.search.confirm_seeds) == (8, 2)
    assert suite.evaluation.points == 20
    assert (suite.chosen.name, suite.chosen.confirm) == ("standard", 3)
    assert suite.allow_failures == 0.1


def test_records_cannot_be_changed(tmp_path):
    suite = read(tmp_path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        suite.name = "other"
    with pytest.raises(ValueError, match="frozen"):
        suite.training.batch = 1


def test_the_reference_is_the_first_architecture_by_default(tmp_path):
    assert read(tmp_path, changed("reference: lstm\n", "")).reference == "tanh"


def test_lists_make_every_combination_and_names_sort_their_options(tmp_path):
    text = changed("length: [50, 100]", "width: [2, 3], length: 50, kind: 'a b', flag: true")
    assert [entry.name for entry in read(tmp_path, text).settings][:2] == [
        'adding_uniform(flag=true, kind="a b", length=50, width=2)',
        'adding_uniform(flag=true, kind="a b", length=50, width=3)',
    ]


def test_a_budget_keeps_what_its_only_says(tmp_path):
    assert labels(read(tmp_path, budget="quick")) == ["tanh"]
    text = changed("{architectures: [tanh]}", "{settings: [adding_uniform(length=50)]}")
    assert names(read(tmp_path, text, budget="quick")) == ["adding_uniform(length=50)"]


def test_a_budget_may_bring_its_own_settings_and_size(tmp_path):
    new = "seeds: 5, settings: [{task: copy_memory, length: [1, 2]}], match: {hidden: 8}"
    suite = read(tmp_path, changed("seeds: 5", new))
    assert names(suite) == ["copy_memory(length=1)", "copy_memory(length=2)"]
    assert suite.chosen.settings[0].at == ("budget", "standard", "settings", 0)
    assert (suite.chosen.match.quantity, suite.match.quantity) == ("hidden", "parameters")


def test_updates_may_differ_by_task(tmp_path):
    new = "updates: {adding_uniform: 7, sequential_digits: 9}"
    chosen = read(tmp_path, changed("updates: 2000", new)).chosen
    assert (chosen.updates_of("adding_uniform"), chosen.updates_of("sequential_digits")) == (7, 9)


def test_without_a_standard_budget_one_must_be_chosen(tmp_path):
    text = changed("standard:", "full:")
    assert "choose --budget of quick, full" in refusal(tmp_path, text)
    assert read(tmp_path, text, budget="full").chosen.name == "full"


def test_the_only_budget_is_the_default(tmp_path):
    text = "".join(line for line in TEXT.splitlines(True) if "standard:" not in line)
    assert read(tmp_path, text).chosen.name == "quick"


def test_an_unknown_budget_is_named(tmp_path):
    message = refusal(tmp_path, budget="quik")
    assert message == (
        "--budget quik: unknown budget `quik`; did you mean `quick`? Known: quick, standard."
    )


@pytest.mark.parametrize(
    ("allowed", "failed", "fits"),
    [("10%", 2, True), ("10%", 3, False), ("0.1", 2, True), ("3", 3, True), ("3", 4, False)],
)
def test_failures_are_allowed_by_number_or_share(tmp_path, allowed, failed, fits):
    assert read(tmp_path, changed("10%", allowed)).allows(failed, 20) is fits


def test_only_adds_up_within_a_key_and_narrows_across_keys(tmp_path):
    suite = read(tmp_path, only=["architecture=lstm,bilstm,task=adding_uniform"])
    assert (labels(suite), len(names(suite))) == (["lstm", "bilstm"], 2)
    suite = read(tmp_path, only=["architecture=lstm", "architecture=tanh"])
    assert labels(suite) == ["tanh", "lstm"]
    suite = read(tmp_path, only=["setting=adding_uniform(length=50),task=adding_uniform"])
    assert names(suite) == ["adding_uniform(length=50)"]


def test_only_takes_names_that_hold_commas(tmp_path):
    text = changed("length: [50, 100]", "length: [50, 100], width: 2").replace("tanh", '"a,b"')
    suite = read(
        tmp_path,
        text,
        only=["architecture=a,b", "setting=adding_uniform(length=50, width=2),task=adding_uniform"],
    )
    assert (labels(suite), len(names(suite))) == (["a,b"], 1)


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("architecture=lstmm", "unknown architecture `lstmm`; did you mean `lstm`?"),
        ("tsk=x", "unknown key `tsk`; did you mean `task`?"),
        ("lstm", "write key=value; the keys are architecture, task, setting"),
        ("task=adding_uniform,setting=sequential_digits", "fits all of it"),
    ],
)
def test_an_only_that_keeps_nothing_is_refused(tmp_path, only, said):
    message = refusal(tmp_path, only=[only])
    assert message.startswith(f"--only {only}: ")
    assert said in message


def test_sets_are_made_before_anything_is_checked(tmp_path):
    sets = ["budget.standard.updates=100", "settings.0.length=[10, 20]", "evaluation.points=3"]
    suite = read(tmp_path, sets=sets)
    assert suite.chosen.updates == 100
    assert names(suite)[:2] == ["adding_uniform(length=10)", "adding_uniform(length=20)"]
    assert (suite.evaluation.points, suite.text) == (3, TEXT)


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("budget.standard.updatess=1", "unknown key of budget.standard `updatess`; did you mean"),
        ("budget.standrd.updates=1", "unknown key of budget `standrd`; did you mean `standard`?"),
        ("match.parameters=x", "`parameters` takes a whole number, 1 or more, not 'x'"),
        ("reference=lsm", "unknown architecture `lsm`; did you mean `lstm`?"),
        ("architectures.new={layers: 2}", "an architecture has a `cell` or a `layer`, not neither"),
    ],
)
def test_a_mistake_in_a_set_names_the_set(tmp_path, assignment, said):
    message = refusal(tmp_path, sets=[assignment])
    assert message.startswith(f"--set {assignment}: {said}")


def test_a_later_stage_can_point_into_the_file(tmp_path):
    suite = read(tmp_path)
    entry = suite.architectures["lstm"]
    at_key = str(suite.error((*entry.at, "forget_bias"), "unknown option"))
    assert at_key.splitlines()[2].index("^") == 4 + 2 + TEXT.splitlines()[4].index("forget")
    at_value = str(suite.error((*entry.at, "cell"), "unknown cell", value=True))
    assert at_value.startswith(f"{suite.source.name}:5:16: unknown cell\n")


def test_the_resolved_suite_reads_back_as_itself(tmp_path):
    first = resolved(read(tmp_path, sets=["match.parameters=77"]))
    assert first["match"] == {"parameters": 77}
    path = tmp_path / "resolved.yaml"
    with path.open("w") as file:
        YAML().dump(first, file)
    assert resolved(read_suite(path)) == first


@pytest.mark.parametrize("beam", ["0", "101", "2.5"])
def test_a_beam_is_a_whole_number_that_a_machine_can_follow(tmp_path, beam):
    text = TEXT.replace("budget:\n", f"evaluation: {{beam: {beam}}}\nbudget:\n", 1)
    assert "`beam` takes a whole number from 1 to 100" in refusal(tmp_path, text)


def test_the_resolved_suite_shows_the_backend_that_is_asked_for(tmp_path):
    assert resolved(read(tmp_path))["training"]["backend"] == "auto"
    forced = read(tmp_path, sets=["training.backend=loop"])
    assert resolved(forced)["training"]["backend"] == "loop"


# (what stands in the suite, what is written instead, place of the error, marked text, words said)
MISTAKES = [
    ("bidirectional: true", "bidirectional: yes", "7:39", "yes", "write true or false"),
    ("batch: 32", "batch: 3.5", "13:36", "3.5", "`batch` takes a whole number, 1 or more, not 3.5"),
    ("batch: 32", "batch: true", "13:36", "true", "not true"),
    ("batch: 32", "bach: 32", "13:29", "bach", "did you mean `batch`?"),
    ("batch: 32", "clip: 0", "13:35", "0", "`clip` takes a number above 0"),
    ("batch: 32", "momentum: 1", "13:39", "1", "up to but not 1"),
    ("batch: 32", "teacher_forcing: 1.5", "13:46", "1.5", "the share of symbols a decoder is told"),
    ("batch: 32", "teacher_schedule: lin", "13:47", "lin", "did you mean `linear`?"),
    ("tanh: {cell: rnn}", "tanh: {cell: rnn, attention: dots}", "4:32", "dots", "mean `dot`?"),
    ("batch: 32", "backend: lop", "13:38", "lop", "did you mean `loop`? Known: auto, fused"),
    ("batch: 32", "backend: 1", "13:38", "1", "`backend` takes auto, kernel, torch, fused or loop"),
    (
        "sampler: tpe",
        "pruner: {kind: halving, factor: 2}",
        "15:18",
        "halving",
        "known: hyperband, successive_halving",
    ),
    ("sampler: tpe", "pruner: {factr: 3, kind: hyperband}", "15:12", "factr", "did you mean"),
    ("optimizer: adam", "optimizer: adm", "13:23", "adm", "did you mean `adam`?"),
    ("optimizer: adam", "optimizer: 3", "13:23", "3", "adam, adamw, rmsprop or sgd"),
    ("suite: long_dependency", "suite: ../x", "1:8", "../x", "`suite` names a folder"),
    ("suite: long_dependency", "suite: " + "x" * 65, "1:8", "x" * 65, "up to 64"),
    ("question: How far back can each cell remember?", "question: 3", "2:11", "3", "a sentence"),
    ("reference: lstm", "reference: lsm", "8:12", "lsm", "did you mean `lstm`?"),
    ("reference: lstm", "refrence: lstm", "8:1", "refrence", "did you mean `reference`?"),
    ("reference: lstm", "contrasts: [[tanh, lsm]]", "8:20", "lsm", "did you mean `lstm`?"),
    ("reference: lstm", "contrasts: [[tanh]]", "8:13", "[tanh]", "a pair of labels"),
    ("reference: lstm", "contrasts: [[lstm, lstm]]", "8:13", "[lstm, lstm]", "with itself"),
    ("reference: lstm", "contrasts: [[tanh, lstm], [lstm, tanh]]", "8:27", "[lstm, tanh]", "twice"),
    ("reference: lstm", "metrics: accuracy", "8:10", "accuracy", "a list of names of metrics"),
    ("reference: lstm", "metrics: [1]", "8:11", "1", "entry 1 of metrics takes a word"),
    ("tanh: {cell: rnn}", "tanh: {cel: rnn}", "4:3", "tanh", "a `cell` or a `layer`, not neither"),
    ("tanh: {cell: rnn}", "tanh:", "4:3", "tanh", "takes a mapping with cell"),
    ("tanh: {cell: rnn}", "tanh: {cell: rnn, a: [1]}", "4:24", "[1]", "an option takes a number"),
    ("tanh: {cell: rnn}", "tanh: {cell: rnn, layers: 0}", "4:29", "0", "1 or more, not 0"),
    ("tanh: {cell: rnn}", "tanh: {cell: rnn, dropout: 1}", "4:30", "1", "up to but not 1"),
    ("tanh: {cell", '"a\\tb": {cell', "4:3", '"a\\tb"', "visible characters"),
    ("tanh: {cell", "x" * 41 + ": {cell", "4:3", "x" * 41, "(41 characters)"),
    ("search: true", "search: 3", "7:53", "3", "takes true"),
    ("{forget_bias: {between", "{clip: {between", "6:44", "clip", "shared by all architectures"),
    ("length: [50, 100]", "length: []", "10:36", "[]", "an empty list makes no setting"),
    ("length: [50, 100]", "length: [50, [1]]", "10:41", "[1]", "plain values"),
    ("length: [50, 100]", "length: {a: 1}", "10:36", "{a: 1}", "not a mapping"),
    ("{task: sequential_digits}", "sequential_digits", "11:5", "sequential_digits", "a mapping"),
    ("{task: sequential_digits}", "{tsk: x}", "11:5", "{tsk: x}", "settings.1 lacks `task`"),
    ("length: [50, 100]}", "length: [5, 5]}", "10:5", "{task: adding_uniform, length: [5, 5]}",
     "`adding_uniform(length=5)` is there twice"),
    ("{parameters: 5000}", "{parameters: 5000, flops: 3}", "12:8", "{parameters: 5000, flops: 3}",
     "exactly one of parameters, hidden, state and flops, not parameters and flops"),
    ("{parameters: 5000}", "{}", "12:8", "{}", "not none"),
    ("{parameters: 5000}", "{parameters: 0}", "12:21", "0", "1 or more, not 0"),
    ("sampler: tpe", "sampler: grid", "17:5", "learning_rate", "list them in a `choice`"),
    ("sampler: tpe", "sampler: bayes", "15:12", "bayes", "known: gp, grid, qmc, random, tpe."),
    ("clip: {choice", "batch: {choice", "18:5", "batch", "belongs to the budget"),
    ("clip: {choice", "clp: {choice", "18:5", "clp", "did you mean `clip`?"),
    ("clip: {choice", "momentum: {choice", "18:30", "1", "at least 0 and below 1"),
    ("clip: {choice: [0.5, 1, 5]}", "momentum: {choice: [0.5]}", "18:5", "momentum", "to sgd"),
    ("clip: {choice: [0.5, 1, 5]}", "clip: {choice: [1, 1]}", "18:24", "1", "listed twice"),
    ("clip: {choice: [0.5, 1, 5]}", "schedule: {choice: [u]}", "18:15", "{choice: [u]}", "linear"),
    ("clip: {choice: [0.5, 1, 5]}", "clip: 3", "18:11", "3", "takes one of {log"),
    ("log: [1.0e-4, 3.0e-2]", "lg: [1, 2]", "17:21", "lg", "did you mean `log`?"),
    ("log: [1.0e-4, 3.0e-2]", "log: [0, 1]", "17:27", "0", "above 0, not 0"),
    ("log: [1.0e-4, 3.0e-2]", "log: [2, 1]", "17:26", "[2, 1]", "the lowest comes first"),
    ("log: [1.0e-4, 3.0e-2]", "log: [1]", "17:26", "[1]", "two numbers"),
    ("seeds: 5", "seeds: 0", "21:47", "0", "1 or more, not 0"),
    ("trials: 9, ", "", "21:3", "standard", "budget.standard lacks `trials`"),
    ("updates: 2000", "updates: many", "21:23", "many", "or one for each task, not 'many'"),
    ("updates: 2000", "updates: {adding_uniform: 1}", "21:14", "updates", "`sequential_digits`"),
    ("updates: 2000", "updates: {adding_unifor: 1}", "21:24", "adding_unifor", "did you mean"),
    ("updates: 2000", "updates: {adding_uniform: 0}", "21:40", "0", "1 or more, not 0"),
    ("architectures: [tanh]", "architectures: [tan]", "20:81", "tan", "did you mean `tanh`?"),
    ("architectures: [tanh]", "settings: [digits]", "20:76", "digits", "unknown task or setting"),
    ("architectures: [tanh]", "settings: []", "20:75", "[]", "at least one task or setting"),
    ("10%", "lots", "22:17", "lots", "a share (10% or 0.1) or a number of members"),
    ("10%", "-1", "22:17", "-1", "a number of members, not -1"),
    ("10%", "101%", "22:17", "101%", "a share"),
    ("match: {parameters: 5000}\n", "", "1:1", "suite: long_dependency", "lacks `match`"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "marked", "said"), MISTAKES)
def test_a_mistake_is_shown_where_it_stands(tmp_path, old, new, place, marked, said):
    message = refusal(tmp_path, changed(old, new))
    head, line, carets = message.split("\n")
    assert head.startswith(f"x.yaml:{place}: ")
    assert said in head
    assert line[carets.index("^") : carets.rindex("^") + 1] == marked


def test_one_entry_cannot_explode_into_settings(tmp_path):
    text = changed("length: [50, 100]", f"a: {[*range(40)]}, b: {[*range(40)]}")
    message = refusal(tmp_path, text)
    assert message.startswith("x.yaml:10:5: this makes 1,600 settings; 1,000 at most")


def test_several_mistakes_are_shown_at_once_but_not_all_of_many(tmp_path):
    text = changed("batch: 32", "batch: 0").replace("seeds: 5", "seeds: x")
    message = refusal(tmp_path, text)
    assert [line[:8] for line in message.splitlines()[::3]] == ["x.yaml:1", "x.yaml:2"]
    text = TEXT + "".join(f"key{number}: 1\n" for number in range(7))
    assert refusal(tmp_path, text).endswith("\n… and 2 more")


def test_no_mistake_is_told_in_the_words_of_pydantic(tmp_path):
    for old, new, *_ in MISTAKES:
        message = refusal(tmp_path, changed(old, new))
        assert "Input should" not in message
        assert "type=" not in message


@pytest.mark.parametrize("text", ["", "# nothing\n", "null", "{}", "---\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    assert "the file is empty; a suite starts with `suite: my_name`" in refusal(tmp_path, text)


@pytest.mark.parametrize("text", ["[1]", "word", "3"])
def test_a_file_without_keys_is_refused(tmp_path, text):
    assert refusal(tmp_path, text).startswith("x.yaml:1:1: the file holds no keys")


def test_reading_a_suite_imports_nothing_heavy():
    code = (
        "import sys, rnnbench.suite;"
        "print([m for m in ('torch', 'pandas', 'optuna', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_path_or_an_address_is_named_by_its_file(tmp_path):
    address = f"https://host/data/c.csv#sha256={'0' * 64}"
    path = tmp_path / "x.yaml"
    path.write_text(
        "suite: x\nquestion: Which?\narchitectures: {a: {cell: rnn}}\nmatch: {hidden: 3}\n"
        "settings:\n"
        f"  - {{task: t, data: [one/a.tsv, two/a.tsv, b#1.tsv, '{address}']}}\n"
        "budget: {standard: {updates: 1, trials: 1, seeds: 1}}\n"
    )
    settings = read_suite(path).settings
    assert [setting.name for setting in settings] == [
        "t(data=a.tsv)",
        "t(data=two/a.tsv)",
        't(data="b#1.tsv")',
        "t(data=c.csv)",
    ]
    assert settings[3].options == {"data": address}
