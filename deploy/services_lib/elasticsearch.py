"""Elasticsearch: one node, on loopback only, with security on. `manage.py setup_elasticsearch` makes our users."""

import base64
import json
import shutil
import urllib.error
import urllib.request
from functools import cached_property
from pathlib import Path

from services_lib.elasticsearch_files import fetched_elasticsearch
from services_lib.folders import appearing_whole
from services_lib.java import Jdk, find_jdk
from services_lib.programs import run_to_end
from services_lib.server import Server

HEAP = "512m"
VECTOR_MODULE = "jdk.incubator.vector"
# A garbage collector's log, and heap dumps beside it, fill disks and tell nobody here anything.
UNWANTED_OPTIONS = ("-Xlog:", "-XX:ErrorFile", "-XX:+HeapDumpOnOutOfMemoryError")


class Elasticsearch(Server):
    name = "elasticsearch"
    start_seconds = 180

    @property
    def port(self) -> int:
        return self.site.ports.elasticsearch

    def url(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.port}"

    @cached_property
    def home(self) -> Path:
        return fetched_elasticsearch(self.site.cache)

    @cached_property
    def jdk(self) -> Jdk:
        return find_jdk(self.site.account)

    def prepare(self) -> None:
        _ = self.jdk  # first: no point in fetching what cannot be started
        if not self.data.exists():
            with appearing_whole(self.data) as making:
                self._initialise(making)
        self._configure(self.data / "config")
        shutil.rmtree(self.data / "tmp", ignore_errors=True)  # a killed server leaves its own behind
        self.site.account.make_folder(self.data / "tmp")

    def launch(self) -> None:
        command: list[str | Path] = [self.jdk.java, "-Xmx64m", "-XX:+UseSerialGC", "-cp", "lib/tools/server-launcher/*"]
        command += ["org.elasticsearch.server.launcher.ServerLauncher"]
        environment = {
            **self._environment(self.data),
            "JAVA": str(self.jdk.java),
            "JAVA_TYPE": "ES_JAVA_HOME",
            "ES_JAVA_OPTS": f"-Xms{HEAP} -Xmx{HEAP}",
        }
        self.daemon.launch(command, port=self.port, cwd=self.home, environment=environment)

    def problem(self) -> str | None:
        token = base64.b64encode(f"elastic:{self.credentials.elastic}".encode()).decode()
        question = f"http://127.0.0.1:{self.port}/_cluster/health?wait_for_status=yellow&timeout=2s"
        request = urllib.request.Request(question, headers={"Authorization": f"Basic {token}"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never ask a proxy for this machine
        try:
            with opener.open(request, timeout=5) as answer:
                status = json.load(answer)["status"]
        except (OSError, ValueError) as error:
            return str(error)
        return None if status in ("green", "yellow") else f"the cluster's health is {status}"

    def _initialise(self, making: Path) -> None:
        """The bootstrap password has to lie in the key store before the first start."""
        for part in (making, making / "config", making / "data", making / "logs", making / "tmp"):
            self.site.account.make_folder(part)
        making.chmod(0o700)
        self._configure(making / "config")
        self._keystore(making, "create")
        self._keystore(making, "add", "-x", "bootstrap.password", stdin=self.credentials.elastic)

    def _keystore(self, folder: Path, *arguments: str, stdin: str = "") -> None:
        environment = {**self._environment(folder), "CLI_NAME": "keystore", "CLI_LIBS": "lib/tools/keystore-cli"}
        command = ["bash", "bin/elasticsearch-cli", *arguments]
        run_to_end(
            command, lock=self.lock, account=self.site.account, cwd=self.home, stdin=stdin, environment=environment
        )

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            "ES_HOME": str(self.home),
            "ES_PATH_CONF": str(folder / "config"),
            "ES_TMPDIR": str(folder / "tmp"),
            "ES_DISTRIBUTION_TYPE": "tar",
            "ES_JAVA_HOME": str(self.jdk.home),
        }

    def _configure(self, config: Path) -> None:
        """Written anew before each start: ports and the JDK may have changed. The key store stays."""
        shutil.copytree(self.home / "config", config, dirs_exist_ok=True)
        options = (self.home / "config" / "jvm.options").read_text().splitlines()
        (config / "jvm.options").write_text("".join(f"{line}\n" for line in options if self._wanted(line)))
        (config / "elasticsearch.yml").write_text("".join(f"{name}: {value}\n" for name, value in self._settings()))

    def _wanted(self, option: str) -> bool:
        if VECTOR_MODULE in option:
            return VECTOR_MODULE in self.jdk.modules
        return not option.startswith(UNWANTED_OPTIONS)

    def _settings(self) -> list[tuple[str, object]]:
        return [
            ("cluster.name", "triage"),
            ("node.name", "triage"),
            ("discovery.type", "single-node"),
            ("path.data", json.dumps(str(self.data / "data"))),
            ("path.logs", json.dumps(str(self.data / "logs"))),
            ("http.host", "127.0.0.1"),
            ("http.port", self.port),
            ("transport.host", "127.0.0.1"),
            ("transport.port", self.site.ports.elasticsearch_transport),
            ("xpack.security.enabled", "true"),
            # A developer's disk is often nearly full; that must not make indices read-only.
            ("cluster.routing.allocation.disk.threshold_enabled", "false"),
        ]
