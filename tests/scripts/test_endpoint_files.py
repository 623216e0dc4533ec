"""The files of endpoints/ as other people write them: understood, or refused with file, key and what to write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from scripts.lib.azure import endpoint_files, loading
from scripts.lib.azure.asking import EXPECTATIONS
from scripts.lib.azure.endpoint_files import BLUE, GREEN
from scripts.lib.azure.scoring_client import ROWS, SAMPLE
from scripts.lib.azure.workspace import ENDPOINT
from scripts.lib.decisions.file_rules import DEPLOYMENT_KEYS, ENDPOINT_KEYS
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor.files import check
from tests.support import ROOT
from tests.support.scripts import change, repository, run

NAMES = {ENDPOINT: "heart", BLUE: "default", GREEN: "xgboost-model"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """A copy of endpoints/, in which the tests work."""
    with repository(tmp_path / "copy", model="toy-files") as made:
        yield made


def problem(path: Path) -> str:
    """The one thing that is wrong with a file."""
    (found,) = loading.problems(path)
    return found


def append(path: Path, text: str) -> None:
    path.write_text(f"{path.read_text().rstrip()}\n{text}\n")


def test_the_repository_s_own_files_can_be_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in endpoints/ is understood, so that a mistake there is red before it is merged."""
    with monkeypatch.context() as there:
        there.chdir(ROOT)
        result = run("doctor", "--files")

    assert result.exit_code == 0, result.stderr
    assert {found["verdict"] for found in json.loads(result.stdout)} == {"ok"}


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        (SAMPLE, "{", "is not JSON"),
        (SAMPLE, None, "is missing"),
        (SAMPLE, '[{"input_data": [[1]]}]', "is not a JSON object"),
        (ROWS, '{"input_data": {"columns": ["a"], "data": [[1, 2]]}}', "rows as long as the columns"),
        (ROWS, '[{"input_data": [[1]], "parms": {}}]', "has no parms"),
        (EXPECTATIONS, "labels: [a]\nrnage: [0, 1]", "line 2: `rnage` is no key that is known: write `range`."),
        (EXPECTATIONS, "", "is empty"),
    ],
)
def test_what_the_smoke_test_reads_is_checked(path: Path, text: str | None, says: str) -> None:
    """A typo is red before anything is trained, with its place."""
    path.unlink(missing_ok=True) if text is None else path.write_text(text)

    result = run("doctor", "--files")

    (found,) = [it for it in json.loads(result.stdout) if it["verdict"] != "ok"]
    assert (result.exit_code, found["name"]) == (1, str(path))
    assert str(path) in found["say"] and says in found["say"]


def test_a_version_of_many_digits_needs_a_short_name() -> None:
    """A registry may count by dates."""
    change(GREEN, name="a" * 19)

    found = {it.name: it for it in check(20261127)}[str(GREEN)]

    assert (
        found.verdict == "wrong"
        and "with a version of 8 digits and four of the settings 32 letters leave 18" in found.say
    )
    assert {it.verdict for it in check(2026)} == {"ok"}


@pytest.mark.parametrize("path", [ENDPOINT, BLUE, GREEN], ids=str)
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("XGBoost-Model", "write xgboost-model."),
        ("a_b", "a letter first"),
        ("my_model", "write my-model."),
        ("my--model", "write my-model."),
        ("-model-", "write model."),
        ("9model", "write model."),
        ("modèle", "a letter first"),
        ("", "is missing"),
        (None, "is missing"),
        (12, "12 is none"),
        (True, "true is none"),
        (["a"], "is none"),
        ("x" * 33, "32"),
    ],
    ids=str,
)
def test_a_name_that_azure_spells_otherwise(path: Path, name: Any, says: str) -> None:
    """Azure tells no upper from lower case: names have one spelling, and the sentence has it."""
    change(path, name=name)

    found = problem(path).replace("1 to 22", "32") if name == "x" * 33 else problem(path)

    assert found.startswith(f"{path}: `name` ")
    assert says in found


@pytest.mark.parametrize(("path", "least", "most"), [(ENDPOINT, 3, 32), (BLUE, 3, 32), (GREEN, 1, 22)], ids=str)
def test_how_long_a_name_may_be(path: Path, least: int, most: int) -> None:
    """With a version of four digits, and four of the settings, a green's name has 32 letters at most."""
    fits = []
    for length in range(1, 35):
        change(path, name="x" * length)
        fits += [] if loading.problems(path) else [length]

    assert fits == list(range(least, most + 1))


def test_the_first_deployment_isn_t_called_like_a_version() -> None:
    """Else version 2 would be written over it."""
    change(BLUE, name="xgboost-model-2")

    result = run("doctor", "--files")

    assert result.exit_code == 1
    assert f"{BLUE}: `name` is xgboost-model-2, what green-deployment.yml calls a version" in result.stderr


@pytest.mark.parametrize("section", ["environment_variables", "tags", "properties"])
@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("2", 'write "2"'),
        ("010", 'write "010"'),
        ("0.50", 'write "0.50"'),
        ("yes", 'write "yes"'),
        ("", 'write ""'),
        ("~", 'write "~"'),
        ("2026-11-26", 'write "2026-11-26"'),
        ("[1, 2]", "write one line in quotes"),
        ("{a: b}", "write one line in quotes"),
        ("${COUNT}", "holds ${COUNT}"),
        ("$(COUNT)", "holds $(COUNT)"),
        ("'{{ count }}'", "holds {{ count }}"),
        ("'${{ secrets.KEY }}'", "holds ${{ secrets.KEY }}"),
    ],
)
def test_what_is_no_text_among_texts(section: str, written: str, says: str) -> None:
    """Azure wants texts there; what to write is what stands there, in quotes."""
    append(GREEN, f"{section}:\n  WORKER_COUNT: {written}")

    found = problem(GREEN)

    assert found.startswith(f"{GREEN}: `{section}.WORKER_COUNT` ")
    assert says in found


@pytest.mark.parametrize(
    "text", ["${{azureml://connections/x/credentials/key}}", "${{keyvault:https://v/secrets/k}}", "$5"]
)
def test_a_secret_that_azure_fills_in(text: str) -> None:
    """Azure reads some placeholders itself, and a dollar alone is none."""
    change(GREEN, environment_variables={"KEY": text})

    assert loading.problems(GREEN) == []


@pytest.mark.parametrize("count", [0, -1, 1.5, 2.0, "two", "1.5", "${COUNT}", True, None, [2], {"a": 2}], ids=str)
def test_an_instance_count_that_is_none(count: Any) -> None:
    """The SDK would cut 1.5 to 1, and end with a traceback for others."""
    change(GREEN, instance_count=count)

    assert problem(GREEN).startswith(f"{GREEN}: `instance_count` must be a whole number")


@pytest.mark.parametrize("count", ["010", "0x10", "1_0", "0b1", "1:30"])
def test_an_instance_count_that_yaml_reads_as_another_number(count: str) -> None:
    """010 would be 8 instances, 1:30 ninety."""
    GREEN.write_text(re.sub("instance_count: .*", f"instance_count: {count}", GREEN.read_text()))

    assert f"`instance_count` must be a whole number of 1 at least, not {count}" in problem(GREEN)


@pytest.mark.parametrize(
    ("fields", "key", "says"),
    [
        ({"instnce_count": 1}, "instnce_count", "write `instance_count`"),
        ({"instanceType": "x"}, "instanceType", "write `instance_type`"),
        ({"request_timeout_ms": 5}, "request_timeout_ms", "write `request_settings.request_timeout_ms`"),
        (
            {"request_settings": {"timeout_ms": 5}},
            "request_settings.timeout_ms",
            "`request_settings.request_timeout_ms`",
        ),
        ({"liveness_probe": {"perod": 5}}, "liveness_probe.perod", "write `liveness_probe.period`"),
        ({"auth_mode": "key"}, "auth_mode", "take it out"),
        ({"zzz": 1}, "zzz", "take it out"),
        ({"initial_delay": 1}, "initial_delay", "take it out"),
        ({"environment": {"imge": "x"}}, "environment.imge", "write `environment.image`"),
    ],
)
def test_a_misspelt_key(fields: dict[str, Any], key: str, says: str) -> None:
    """The nearest key that Azure knows is named, with what it stands in."""
    change(GREEN, **fields)

    found = next(line for line in loading.problems(GREEN) if f"`{key}` is no key that Azure knows" in line)

    assert says in found


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"instance_type": None}, "`instance_type` is empty"),
        ({"instance_type": 3}, '`instance_type` must be a text: write "3"'),
        ({"instance_type": "${SIZE}"}, "`instance_type` holds ${SIZE}"),
        ({"request_settings": 5}, "`request_settings` must hold lines"),
        ({"request_settings": {"request_timeout_ms": 180_001}}, "1 to 180000, not 180001"),
        ({"request_settings": {"max_concurrent_requests_per_instance": 0}}, "must be a whole number of 1"),
        ({"request_settings": {"max_queue_wait_ms": -1}}, "must be a whole number of 0"),
        ({"liveness_probe": {"period": 0}}, "`liveness_probe.period` must be a whole number of 1"),
        ({"app_insights_enabled": "maybe"}, "must be true or false"),
        ({"egress_public_network_access": False}, 'write one of "enabled", "disabled"'),
        ({"environment": "mlflow"}, "must begin with `azureml:`"),
        ({"environment": {}}, "holds no `image`"),
        ({"environment": {"image": "x", "conda_file": "no.yml"}}, "`environment.conda_file` names no.yml"),
        ({"environment": {"build": {"path": "no"}}}, "`environment.build.path` names no"),
        ({"code_configuration": {"code": "no", "scoring_script": "s.py"}}, "`code_configuration.code` names no"),
        ({"code_configuration": {"code": "."}}, "`code_configuration.scoring_script` is missing"),
        ({"code_configuration": {"scoring_script": "s.py"}}, "`code_configuration.code` is missing"),
        ({"code_configuration": {"code": ".", "scoring_script": "s.py"}}, "scoring_script` names s.py, which doesn't"),
        ({"code_configuration": {"code": "azureml:c", "scoring_script": "s.py"}}, "write azureml:c:1"),
        ({"environment": "azureml:mlflow"}, "`environment` names no version: write azureml:mlflow:1"),
        ({"environment_variables": ["A=1"]}, "`environment_variables` must hold lines"),
        ({"data_collector": {}}, "can't be loaded"),
        ({"type": "kubernetes"}, "`type` must be managed"),
        ({"scale_settings": {"type": "target_utilization"}}, "`scale_settings.type` must be default"),
    ],
    ids=str,
)
def test_a_value_that_azure_doesn_t_take(fields: dict[str, Any], says: str) -> None:
    """What the SDK would tell in a page, or Azure after the training, is one sentence."""
    change(GREEN, **fields)

    assert says in problem(GREEN)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"auth_mode": "keys"}, '`auth_mode` is "keys": write one of'),
        ({"public_network_access": False}, '"enabled", "disabled"'),
        ({"identity": {"type": "user_assigned"}}, "`identity.user_assigned_identities` is missing"),
        ({"compute": "azureml:k8s"}, "Kubernetes"),
        ({"tgs": {}}, "write `tags`"),
        ({"resource_type": "x"}, "take it out"),
        ({"image": "x"}, "take it out"),
        ({"tags": {"model": "m", "rollout": "x"}}, "`tags.rollout` is the rollout's own tag"),
        ({"tags": {"model": "m", "mark-default": "x"}}, "`tags.mark-default` is the rollout's own tag"),
        ({"tags": {"owner": "me"}}, "`tags.model` is missing"),
        ({"tags": {"model": "a b"}}, "`tags.model` is 'a b'"),
        ({"tags": {"model": 5}}, '`tags.model` must be a text: write "5"'),
        ({"tags": 5}, "`tags` must hold lines"),
        ({"tags": None}, "`tags` is empty"),
        ({"identity": 5}, "`identity` must hold lines"),
    ],
    ids=str,
)
def test_an_endpoint_that_can_t_be_so(fields: dict[str, Any], says: str) -> None:
    """The same for endpoint.yml."""
    change(ENDPOINT, **fields)

    assert says in problem(ENDPOINT)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Nobody mends a file line by line, a run each."""
    change(GREEN, name="A", instance_count=0, zzz=1, environment_variables={"A": 1})

    assert len(loading.problems(GREEN)) == 4


DEPLOYMENT = b"name: default\ninstance_type: Standard_DS3_v2\n"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"- a\n- b\n", "is no mapping"),
        (b"just words", "is no mapping"),
        ("name: default # prüfen".encode("latin-1"), "is not UTF-8"),
        (DEPLOYMENT.decode().encode("utf-16"), "is not UTF-8"),
        (DEPLOYMENT + b"name: other\n", "`name` stands twice, in the lines 1, 3"),
        (DEPLOYMENT + b"tags:\n\ta: b\n", "a tab: write spaces"),
        (DEPLOYMENT + b"---\nname: other\n", "one file holds one"),
        (DEPLOYMENT + b"tags: !python/object/apply:os.system [ls]\n", "the tag !python/object/apply:os.system"),
        (DEPLOYMENT + b"tags: !Ref x\n", "the tag !Ref"),
        (DEPLOYMENT + b"tags: &a\n  b: *a\n", "holds itself"),
        (DEPLOYMENT + b"tags: *nobody\n", "undefined alias"),
        (DEPLOYMENT + b"description: 2026-02-30\n", "day is out of range"),
        (DEPLOYMENT + b"description: [\n", "is not YAML"),
        (DEPLOYMENT + b"tags: {on: a}\n", 'the key on is no text: write "on"'),
        (DEPLOYMENT + b"tags: {? [a] : b}\n", "is no text"),
        (DEPLOYMENT + b"description: a\x00b\n", "is not YAML"),
        (b"a: " + b"[" * 5000, "nested too deeply"),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [ENDPOINT, BLUE], ids=str)
def test_a_file_that_isn_t_read_as_it_looks(path: Path, raw: bytes, says: str) -> None:
    """What YAML passes over, or reads as something else, is refused with the line."""
    path.write_bytes(raw)

    found = problem(path)

    assert found.startswith(str(path)) and says in found


def test_aliases_that_are_more_than_any_machine_holds() -> None:
    """A "billion laughs" is refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    append(GREEN, "\n".join(lines))

    assert "more than 10000 values" in problem(GREEN)


def test_an_alias_is_what_it_stands_for() -> None:
    """One that is no circle is YAML like any other."""
    append(GREEN, "liveness_probe: &probe {period: 10}\nreadiness_probe: *probe")

    fields = endpoint_files.settings(GREEN).fields

    assert fields["liveness_probe.period"] == fields["readiness_probe.period"] == "10"


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Some editors begin UTF-8 with one."""
    GREEN.write_bytes(b"\xef\xbb\xbf" + GREEN.read_bytes())

    assert loading.problems(GREEN) == []


@pytest.mark.parametrize("path", [ENDPOINT, BLUE, GREEN], ids=str)
def test_a_file_that_is_missing(path: Path) -> None:
    """It is named, it alone."""
    path.unlink()

    result = run("doctor", "--files")

    assert f"{path} is missing" in problem(path)
    assert [found["name"] for found in json.loads(result.stdout) if found["verdict"] == "wrong"] == [str(path)]


def test_a_folder_in_the_place_of_a_file() -> None:
    """What can't be read isn't a bug of the scripts."""
    GREEN.unlink()
    GREEN.mkdir()

    assert f"{GREEN} can't be read" in problem(GREEN)


@pytest.mark.parametrize(("path", "keys"), [(ENDPOINT, ENDPOINT_KEYS), (GREEN, DEPLOYMENT_KEYS)], ids=str)
def test_the_keys_that_are_suggested_are_azure_s(path: Path, keys: dict[str, tuple[str, ...]]) -> None:
    """Each key of the tables is one that the SDK knows."""
    before, found = path.read_text(), []
    for section, names in keys.items():
        for key in names:
            change(path, **({section: {key: {}}} if section else {key: {}}))
            found += loading.problems(path)
            path.write_text(before)

    assert found and not [line for line in found if "is no key that Azure knows" in line]


@pytest.mark.parametrize("path", [ENDPOINT, GREEN], ids=str)
def test_the_doctor_says_it_before_anything_is_trained(path: Path) -> None:
    """`doctor --files` needs neither GitHub nor Azure, and is red."""
    change(path, name="A_B")

    result = run("doctor", "--files")

    assert result.exit_code == 1
    assert f"{path}: `name` is 'A_B'" in result.stderr and f"not ready: {path}" in result.stderr


@pytest.mark.parametrize(
    ("script", "arguments"), [("create_endpoint", []), ("show_endpoint", []), ("register_model", ["endpoints"])]
)
@pytest.mark.parametrize(
    "raw", [b"name: [", "name: ü".encode("latin-1"), b"- a", b"name:", b"name: 5\ntags: 3"], ids=str
)
def test_a_script_refuses_a_broken_endpoint_file(script: str, arguments: list[str], raw: bytes) -> None:
    """One message that begins with the file, exit code 1, no traceback."""
    ENDPOINT.write_bytes(raw)
    place = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_RESOURCE_GROUP": "g", "AZURE_ML_WORKSPACE": "w"}

    result = run(script, *arguments, **place, ENDPOINT_NAME="")

    assert result.exit_code == 1
    assert f"Error: {ENDPOINT}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("key", ["model", "endpoint_name"])
@pytest.mark.parametrize("value", ["azureml:m:2", "${MODEL}", 5, {"path": "nowhere"}], ids=str)
def test_what_the_scripts_set_themselves_is_dropped(key: str, value: Any) -> None:
    """A deployment file names no model and no endpoint, whatever it says."""
    change(GREEN, **{key: value})

    entity = endpoint_files.deployment(GREEN, "green", "heart")

    assert (entity.model, entity.endpoint_name) == (None, "heart")
    assert loading.problems(GREEN) == []


@pytest.mark.parametrize("key", ["traffic", "mirror_traffic"])
def test_a_split_in_endpoint_yml_is_dropped(key: str) -> None:
    """Promote and rollback alone set it."""
    change(ENDPOINT, **{key: {"nobody": 100}})

    entity = endpoint_files.endpoint("heart")

    assert (entity.traffic, entity.mirror_traffic) == ({}, {})


def test_what_is_dropped_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason, on standard error, once a command, however often that plans anew."""
    change(GREEN, model="azureml:m:2")

    with click.Context(click.Command("deploy")):
        for _ in range(2):
            endpoint_files.deployment(GREEN, "green", "heart")

    said = capsys.readouterr().err
    assert said.count(f"{GREEN}: `model` is ignored: deploy names the registered version.") == 1


def test_the_doctor_says_what_is_ignored() -> None:
    """It is no mistake, but somebody may have meant it."""
    change(ENDPOINT, traffic={"default": 100})

    found = json.loads(run("doctor", "--files").stdout)[0]

    assert (found["verdict"], "`traffic` is ignored" in found["say"]) == ("ok", True)


def test_the_doctor_says_what_the_second_rollout_changes() -> None:
    """Where the first deployment has other settings than the later ones, that is known beforehand."""
    change(BLUE, environment_variables={"A": "1"})

    (found,) = (it for it in json.loads(run("doctor", "--files").stdout) if it["name"] == "deployment settings")

    assert (found["verdict"], "differ in environment_variables.A" in found["say"]) == ("ok", True)


def test_the_name_of_the_model_is_the_tag() -> None:
    """Whatever else is wrong with endpoint.yml."""
    change(ENDPOINT, auth_mode="nobody's")

    assert endpoint_files.model_name() == "toy-files"


@pytest.mark.parametrize("tags", [{}, {"model": ""}, {"model": 5}, {"model": "a b"}, {"model": ["a"]}, None, 5, ["a"]])
def test_a_model_without_a_name_is_refused(tags: Any) -> None:
    """The sentence names file and key."""
    change(ENDPOINT, tags=tags)

    with pytest.raises(Refused, match=r"endpoint\.yml: `tags\.model` "):
        endpoint_files.model_name()
