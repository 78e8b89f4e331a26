"""PostgreSQL: one database and one role, both named triage; nobody can log in as superuser."""

import shutil
import signal
import subprocess
from pathlib import Path

from services_lib.errors import ServicesError
from services_lib.folders import appearing_whole
from services_lib.programs import ask, run_to_end
from services_lib.server import Server

PACKAGE = "postgresql"
ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"


def installed() -> bool:
    return bool(_program_folders())


class Postgres(Server):
    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, keeps every commit
    start_seconds = 60

    @property
    def port(self) -> int:
        return self.site.ports.postgres

    @property
    def url(self) -> str:
        return f"postgres://triage:{self.credentials.postgres}@127.0.0.1:{self.port}/triage"

    def prepare(self) -> None:
        if not self.data.exists():
            with appearing_whole(self.data) as making:
                self._initialise(making)
        _remove_pid_file_of_a_stranger(self.data / "postmaster.pid")

    def launch(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # a path under a deep checkout may be too long for a socket
            "shared_buffers": "64MB",
            "fsync": "on",
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._program("postgres"), "-D", self.data, *options]
        self.daemon.launch(command, port=self.port, cwd=self.data, environment={})

    def problem(self) -> str | None:
        address = f"host=127.0.0.1 port={self.port} user=triage dbname=triage connect_timeout=3"
        command: list[str | Path] = [self._program("psql"), "--no-psqlrc", "-qAtc", "select 1", address]
        succeeded, answer = ask(command, {"PGPASSWORD": self.credentials.postgres})
        return None if succeeded else answer

    def _initialise(self, making: Path) -> None:
        making.chmod(0o700)
        self.site.account.own(making)
        initdb: list[str | Path] = [self._program("initdb"), "-D", making, "--username=postgres", "--auth=reject"]
        self._run([*initdb, "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"])
        (making / "pg_hba.conf").write_text(ACCESS)
        # Single-user mode takes one statement a line and needs no password; the role is there before the first start.
        single: list[str | Path] = [self._program("postgres"), "--single", "-D", making]
        single += ["-c", "exit_on_error=true", "-c", "password_encryption=scram-sha-256", "postgres"]
        role = f"CREATE ROLE triage LOGIN CREATEDB CREATEROLE PASSWORD '{self.credentials.postgres}';"
        self._run(single, stdin=f"{role}\nCREATE DATABASE triage OWNER triage;\n")

    def _run(self, command: list[str | Path], stdin: str = "") -> None:
        run_to_end(command, lock=self.lock, account=self.site.account, stdin=stdin, environment={})

    def _program(self, name: str) -> Path:
        return self._folder_of_programs() / name

    def _folder_of_programs(self) -> Path:
        """The newest version installed, or the one that the data was made with."""
        folders = _program_folders()
        version_file = self.data / "PG_VERSION"
        if not version_file.exists():
            return folders[max(folders)]
        version = int(version_file.read_text())
        if version not in folders:
            raise ServicesError(
                f"{self.data} was made by PostgreSQL {version}, which is not installed here; "
                f"install it, or delete that folder to start with an empty database"
            )
        return folders[version]


def _program_folders() -> dict[int, Path]:
    """Major version -> folder. Debian keeps the servers' programs off PATH."""
    folders = [path for pattern in ("lib/postgresql/*/bin", "pgsql-*/bin") for path in Path("/usr").glob(pattern)]
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    return {_major_version(folder): folder for folder in folders if _complete(folder)}


def _complete(folder: Path) -> bool:
    return all((folder / program).exists() for program in ("initdb", "postgres", "psql"))


def _major_version(folder: Path) -> int:
    """`postgres (PostgreSQL) 15.14 (Debian ...)` -> 15"""
    text = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.split()[2].split(".")[0])


def _remove_pid_file_of_a_stranger(path: Path) -> None:
    """PostgreSQL will not start while the pid in a crashed server's file belongs to anyone of the same account."""
    try:
        pid = int(path.read_text().splitlines()[0])
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        return
    if name != "postgres":
        path.unlink()
