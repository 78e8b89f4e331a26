"""Compose file and Kubernetes manifests, read and held against the code: there is no cluster here to run them on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.installation import ROOT, procfile
from tests.test_documents import settings_that_are_read

KUBERNETES = ROOT / "deploy" / "kubernetes"
FOREIGN = {"NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"}
PODS = {"Deployment": ("spec", "template"), "Job": ("spec", "template")}


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
    """Name, pod and container of each workload."""
    for workload in of_kind(*PODS):
        pod = workload["spec"]["template"]["spec"]
        for container in pod["containers"]:
            yield container["name"], pod, container


def compose() -> dict[str, Any]:
    (document,) = documents(ROOT / "deploy" / "compose.yaml")
    return document["services"]


def ours() -> dict[str, dict[str, Any]]:
    """The services of compose that run our code."""
    return {name: service for name, service in compose().items() if service["image"].startswith("triage")}


def words(command: list[str] | str) -> set[str]:
    """A worker's command by what it decides: long names, and the queue, pool, concurrency and host name."""
    text = command if isinstance(command, str) else " ".join(command)
    long = text.replace("-A triage", "--app triage").replace(" -Q ", " --queues ")
    return set(re.findall(r"--(?:app|queues|pool|concurrency|hostname) \S+", long))


def test_the_kustomization_lists_every_manifest_but_the_example() -> None:
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    there = {file.name for file in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(kustomization["resources"]) == there


def test_every_variable_is_one_that_the_code_reads() -> None:
    set_here = set(named("ConfigMap", "triage")["data"]) | set(named("Secret", "triage")["stringData"])
    for _, _, container in containers():
        set_here |= {variable["name"] for variable in container.get("env", [])}
    for service in ours().values():
        set_here |= set(service["environment"])
    assert set_here - settings_that_are_read() == set()


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "deploy" / "compose.yaml").read_text()))
    offered = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / ".env.example").read_text(), re.MULTILINE))
    assert asked == offered


@pytest.mark.parametrize(
    ("name", "process"), [("worker-score", "worker"), ("worker-gpu", "worker"), ("worker-housekeeping", "housekeeping")]
)
def test_workers_run_as_the_procfile_runs_them(name: str, process: str) -> None:
    (container,) = [container for found, _, container in containers() if found == name]
    here = words(procfile()[process])
    assert {"--concurrency 1", f"--queues {'score' if process == 'worker' else 'housekeeping'}"} <= here
    assert words(container["command"]) == here
    assert words(compose()[name]["command"]) | {"--pool prefork"} == here


def test_the_gpu_worker_asks_for_a_gpu_and_for_weights_that_it_cannot_change() -> None:
    (pod, container) = next((pod, container) for name, pod, container in containers() if name == "worker-gpu")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    (weights,) = [mount for mount in container["volumeMounts"] if mount["name"] == "weights"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert weights["readOnly"]
    assert environment["WORLDPM_MODEL"].startswith(weights["mountPath"])
    (device,) = compose()["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert all(volume.endswith(":ro") for volume in compose()["worker-gpu"]["volumes"])
    assert compose()["worker-gpu"]["profiles"] == ["gpu"]


@pytest.mark.parametrize("name", ["worker-score", "worker-gpu", "worker-housekeeping"])
def test_a_worker_is_ready_by_its_file_and_may_end_its_batch(name: str) -> None:
    (pod, container) = next((pod, container) for found, pod, container in containers() if found == name)
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["exec"]["command"] == ["test", "-e", environment["READY_FILE"]]
    folder = str(Path(environment["READY_FILE"]).parent)
    assert folder in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert pod["terminationGracePeriodSeconds"] > settings.HARD_LIMIT_SECONDS


def test_the_gpu_worker_may_load_for_half_an_hour() -> None:
    (container,) = [container for name, _, container in containers() if name == "worker-gpu"]
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 1_800


@pytest.mark.parametrize("name", [name for name, _, _ in containers()])
def test_no_container_has_more_rights_than_it_needs(name: str) -> None:
    (pod, container) = next((pod, container) for found, pod, container in containers() if found == name)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    written = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"/tmp", named("ConfigMap", "triage")["data"]["VAR_DIR"]} <= written
    assert {"requests", "limits"} == set(container["resources"])


def test_the_user_of_the_images_is_the_one_of_the_pods() -> None:
    users = set(re.findall(r"^USER (\d+):(\d+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE))
    assert users == {("10001", "10001")}
    assert {pod["securityContext"]["runAsUser"] for _, pod, _ in containers()} == {10001}


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
    assert closed["policyTypes"] == ["Ingress"]
    assert "ingress" not in closed
    assert opened["podSelector"]["matchLabels"] == {"app.kubernetes.io/component": "web"}


def test_settings_come_from_what_is_there() -> None:
    names = {document["metadata"]["name"] for document in of_kind("ConfigMap", "Secret")}
    claims = {document["metadata"]["name"] for document in of_kind("PersistentVolumeClaim")}
    for _, pod, container in containers():
        for source in container["envFrom"]:
            assert {reference["name"] for reference in source.values()} <= names
        for volume in pod["volumes"]:
            assert volume.get("persistentVolumeClaim", {"claimName": "triage-weights"})["claimName"] in claims


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
    (container,) = [container for name, _, container in containers() if name == "sweep"]
    (file,) = [variable["value"] for variable in container["env"] if variable["name"] == "CHECKPOINTS_FILE"]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "checkpoints"]
    assert Path(file).parent == Path(mount["mountPath"])
    assert "LOG_KEY" in named("Secret", "triage")["stringData"]
