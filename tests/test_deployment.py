"""Compose file and Kubernetes manifests, read and held against the code: there is no cluster here to run them on."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery import current_app
from django.conf import settings

from tests.installation import ROOT, Installation, embedded
from tests.test_documents import settings_that_are_read

KUBERNETES = ROOT / "deploy" / "kubernetes"
PODS = ("Deployment", "Job")
WORKERS = {"worker-score": "worker", "worker-gpu": "worker", "worker-housekeeping": "housekeeping"}
PROCESSES = WORKERS | {"web": "web", "sweep": "sweep"}
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def documents(file: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document]


def manifests() -> list[dict[str, Any]]:
    files = [file for file in KUBERNETES.glob("*.yaml") if file.name != "kustomization.yaml"]
    return [document for file in sorted(files) for document in documents(file)]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [document for document in manifests() if document["kind"] in kinds]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [document for document in of_kind(kind) if document["metadata"]["name"] == name]
    return found


def containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, pod and container of each workload, with what runs before it."""
    for workload in of_kind(*PODS):
        pod = workload["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{workload['metadata']['name']}/{container['name']}", pod, container


def workload(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pod and container of a deployment."""
    pod = named("Deployment", name)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def procfile_words(process: str) -> list[str]:
    """The command of a line of the Procfile, as an image has it on its path."""
    (line,) = re.findall(rf"^{process}: exec \.venv/bin/(.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE)
    return shlex.split(line)


def stages() -> dict[str, str]:
    """The Dockerfile's targets in its order, by name."""
    return dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))


def compose() -> dict[str, Any]:
    (document,) = documents(ROOT / "deploy" / "compose.yaml")
    return document["services"]


def ours() -> dict[str, dict[str, Any]]:
    """The services of compose that run our code."""
    return {name: service for name, service in compose().items() if service["image"].startswith("triage")}


def test_the_kustomization_lists_every_manifest_but_the_examples() -> None:
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    there = {file.name for file in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    examples = {file for file in there if file.endswith(".example.yaml")}
    assert examples == {"secret.example.yaml", "weights.example.yaml"}
    assert sorted(kustomization["resources"]) == sorted(there - examples)


def test_every_variable_is_one_that_the_code_reads() -> None:
    set_here = set(named("ConfigMap", "triage")["data"])
    for secret in of_kind("Secret"):
        set_here |= set(secret["stringData"])
    for _, _, container in containers():
        set_here |= {variable["name"] for variable in container.get("env", [])}
    for service in ours().values():
        set_here |= set(service["environment"])
    assert set_here - settings_that_are_read() == set()


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "deploy" / "compose.yaml").read_text()))
    offered = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / ".env.example").read_text(), re.MULTILINE))
    assert asked == offered


@pytest.mark.parametrize(("name", "process"), PROCESSES.items())
def test_processes_run_as_the_procfile_runs_them(name: str, process: str) -> None:
    _, container = workload(name)
    assert container["command"] == procfile_words(process)
    if name != "web":
        assert compose()[name]["command"] == procfile_words("sweep" if name == "sweep" else process)


@pytest.mark.parametrize(("stage", "process"), [("application", "web"), ("worker-gpu", "worker")])
def test_an_image_runs_by_itself_what_the_procfile_runs(stage: str, process: str) -> None:
    (command,) = re.findall(r"^CMD (\[.+?\])$", stages()[stage].replace("\\\n", ""), re.MULTILINE)
    assert json.loads(command) == procfile_words(process)


def test_the_gpu_worker_asks_for_a_gpu_and_for_weights_that_it_cannot_change() -> None:
    pod, container = workload("worker-gpu")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    (weights,) = [mount for mount in container["volumeMounts"] if mount["name"] == "weights"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "weights"]
    assert weights["readOnly"]
    assert volume["persistentVolumeClaim"]["readOnly"]
    assert environment(container)["SCORER"] == compose()["worker-gpu"]["environment"]["SCORER"]
    assert environment(container)["WORLDPM_MODEL"].startswith(weights["mountPath"])
    (device,) = compose()["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert all(volume.endswith(":ro") for volume in compose()["worker-gpu"]["volumes"])
    assert compose()["worker-gpu"]["profiles"] == ["gpu"]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_ready_by_its_file_and_may_end_its_batch(name: str) -> None:
    pod, container = workload(name)
    file = Path(environment(container)["READY_FILE"])
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["exec"]["command"] == ["test", "-e", str(file)]
    assert container["startupProbe"]["initialDelaySeconds"] > 0, "the file of an earlier life would count"
    assert str(file.parent) in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert pod["terminationGracePeriodSeconds"] > settings.HARD_LIMIT_SECONDS
    assert int(compose()[name]["stop_grace_period"].removesuffix("s")) > settings.HARD_LIMIT_SECONDS


def test_the_gpu_worker_of_the_compose_file_is_healthy_by_its_file() -> None:
    service = compose()["worker-gpu"]
    assert service["healthcheck"]["test"] == ["CMD", "test", "-e", service["environment"]["READY_FILE"]]


def test_the_gpu_worker_may_load_as_long_as_celery_lets_it() -> None:
    probe = workload("worker-gpu")[1]["startupProbe"]
    allowed = probe["initialDelaySeconds"] + probe["periodSeconds"] * probe["failureThreshold"]
    assert allowed >= current_app.conf.worker_proc_alive_timeout >= 1_800


def test_a_new_gpu_worker_does_not_wait_for_a_spare_gpu() -> None:
    assert named("Deployment", "worker-gpu")["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0


def test_a_worker_without_weights_is_not_started_and_applying_again_keeps_the_numbers() -> None:
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    counts = {row["name"]: row["count"] for row in kustomization["replicas"]}
    assert counts == {"worker-score": 1, "worker-gpu": 0}
    assert all("replicas" not in named("Deployment", name)["spec"] for name in counts)


@pytest.mark.parametrize("probe", ["livenessProbe", "readinessProbe"])
def test_the_web_pods_answer_their_probes_under_the_settings_they_are_given(tmp_path: Path, probe: str) -> None:
    asked = workload("web")[1][probe]["httpGet"]
    headers = {header["name"]: header["value"] for header in asked["httpHeaders"]}
    given = named("ConfigMap", "triage")["data"] | {"VAR_DIR": str(tmp_path)}
    with embedded(tmp_path, **given) as site:
        program = (
            f"from django.test import Client; print(Client().get({asked['path']!r}, headers={headers!r}).status_code)"
        )
        assert site.shell(program) == "200"


@pytest.mark.parametrize("name", PROCESSES)
def test_nothing_starts_before_the_database_is_migrated(name: str) -> None:
    pod, container = workload(name)
    (before,) = pod["initContainers"]
    assert before["command"] == ["python", "manage.py", "migrate", "--check"]
    assert before["image"] == container["image"], "another image may carry other migrations"


def test_a_migration_that_is_missing_is_noticed(embedded_installation: Installation) -> None:
    embedded_installation.manage("migrate", "--check")
    embedded_installation.manage("migrate", "tickets", "zero", "--fake", "-v0")
    embedded_installation.manage("migrate", "--check", expect=1)


@pytest.mark.parametrize("name", [name for name, _, _ in containers()])
def test_no_container_has_more_rights_than_it_needs(name: str) -> None:
    (pod, container) = next((pod, container) for found, pod, container in containers() if found == name)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    written = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"/tmp", named("ConfigMap", "triage")["data"]["VAR_DIR"]} <= written
    assert {"requests", "limits"} == set(container["resources"])


@pytest.mark.parametrize("name", ours())
def test_no_service_of_ours_has_more_rights_than_it_needs(name: str) -> None:
    service = ours()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "user", "cap_add"} & set(service)


def test_without_a_target_the_image_is_the_one_without_torch() -> None:
    assert re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)[-1] == ("base", "application")
    assert "requirements-worker" not in stages()["base"] + stages()["application"]
    assert "requirements-worker.txt" in stages()["worker-gpu"]


def test_every_package_of_the_images_is_pinned_by_its_hash() -> None:
    installs = re.findall(r"pip install .+", DOCKERFILE)
    assert len(installs) == 2
    assert all("--require-hashes --requirement requirements" in install for install in installs)


def test_the_gpu_image_replaces_no_package_of_the_layers_it_shares() -> None:
    pin = re.compile(r"^([\w.\[\]-]+)==(\S+)", re.MULTILINE)
    shared, worker = (
        dict(pin.findall((ROOT / file).read_text())) for file in ("requirements.txt", "requirements-worker.txt")
    )
    assert shared
    assert {name: worker.get(name) for name in shared} == shared


def test_weights_are_in_no_image() -> None:
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().split()
    assert {"weights", "**/*.safetensors"} <= set(ignored)


def test_images_are_named_alike_everywhere() -> None:
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    listed = {image["name"] for image in kustomization["images"]}
    assert len({image["newTag"] for image in kustomization["images"]}) == 1
    used = {name.split("/")[0]: container["image"] for name, _, container in containers()}
    assert used == {name: ours()[name]["image"] for name in used}
    assert set(used.values()) == listed
    assert {name for name, image in used.items() if image == "triage-worker-gpu"} == {"worker-gpu"}
    assert ours()["worker-gpu"]["build"]["target"] == "worker-gpu"


def test_the_user_of_the_images_is_the_one_of_the_pods() -> None:
    for stage in ("application", "worker-gpu"):
        assert re.findall(r"^USER (.+)$", stages()[stage], re.MULTILINE) == ["10001:10001"]
    users = [(pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) for _, pod, _ in containers()]
    assert set(users) == {(10001, 10001)}


def test_selectors_find_the_pods_they_are_meant_for() -> None:
    labels = {
        tuple(workload["spec"]["template"]["metadata"]["labels"].items()): workload["metadata"]["name"]
        for workload in of_kind("Deployment")
    }
    for workload in of_kind("Deployment"):
        assert labels[tuple(workload["spec"]["selector"]["matchLabels"].items())] == workload["metadata"]["name"]
    assert labels[tuple(named("Service", "web")["spec"]["selector"].items())] == "web"
    budget = named("PodDisruptionBudget", "web")["spec"]["selector"]["matchLabels"]
    assert labels[tuple(budget.items())] == "web"


def test_only_the_web_pods_can_be_reached() -> None:
    closed, opened = named("NetworkPolicy", "triage")["spec"], named("NetworkPolicy", "triage-web")["spec"]
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    (labels,) = kustomization["labels"]
    assert labels["includeSelectors"]
    assert labels["pairs"] == closed["podSelector"]["matchLabels"], "or some pod is open"
    assert closed["policyTypes"] == opened["policyTypes"] == ["Ingress"]
    assert "ingress" not in closed
    assert opened["podSelector"]["matchLabels"] == {"app.kubernetes.io/component": "web"}


def test_settings_come_from_what_is_there() -> None:
    names = {document["metadata"]["name"] for document in of_kind("ConfigMap", "Secret")}
    claims = {document["metadata"]["name"] for document in of_kind("PersistentVolumeClaim")}
    for _, pod, container in containers():
        for source in container["envFrom"]:
            assert {reference["name"] for reference in source.values()} <= names
        for volume in pod["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
        assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}


def test_no_secret_stands_in_a_manifest() -> None:
    for document in of_kind("Secret"):
        assert all(value == "" or "PASSWORD" in value for value in document["stringData"].values())


def test_every_command_of_ours_exists() -> None:
    commands = {file.stem for file in (ROOT / "tickets" / "management" / "commands").glob("*.py")} | {"migrate"}
    every = [container["command"] for _, _, container in containers()] + [one.get("command") for one in ours().values()]
    named_here = {command[2] for command in every if command and command[:2] == ["python", "manage.py"]}
    assert {"migrate", "sweep"} <= named_here <= commands


def test_what_signs_the_log_keeps_its_key_and_its_checkpoints() -> None:
    assert compose()["sweep"]["volumes"] == ["log:/srv/triage/var"]
    assert "LOG_KEY" not in {name for service in ours().values() for name in service["environment"]}
    _, container = workload("sweep")
    file = environment(container)["CHECKPOINTS_FILE"]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "checkpoints"]
    assert Path(file).parent == Path(mount["mountPath"])


def test_the_key_that_signs_the_log_is_given_to_sweep_alone() -> None:
    holding = [secret["metadata"]["name"] for secret in of_kind("Secret") if "LOG_KEY" in secret["stringData"]]
    assert holding == ["triage-log-key"]
    given = {
        name
        for name, _, container in containers()
        if any(source.get("secretRef", {}).get("name") in holding for source in container["envFrom"])
    }
    assert given == {"sweep/sweep"}


def test_the_owner_archives_with_the_key_of_sweep_to_a_volume_it_may_write_to() -> None:
    of_sweep, of_the_owner = (set(compose()[name]["volumes"]) for name in ("sweep", "migrate"))
    assert of_the_owner - of_sweep == {"archive:/archive"}
    assert of_sweep < of_the_owner
    assert re.search(r"install --directory --owner triage .*/archive$", stages()["application"], re.MULTILINE)
    assert "run --rm migrate python manage.py archive_log --keep-months 24 --to /archive/" in (
        ROOT / "docs" / "operations.md"
    ).read_text(encoding="utf-8")
