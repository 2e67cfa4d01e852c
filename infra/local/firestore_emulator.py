"""Find or download Google's Firestore emulator, and run it.

Looked for in this order: `FIRESTORE_EMULATOR_HOST` (an emulator that runs already), the jar of a
gcloud installation, the jar cached under the repository, and at last a download of a pinned version, checked.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from processes import HOST, LocalStackError, ManagedProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CACHE = Path(__file__).resolve().parents[2] / ".cache"
_JAR_IN_SDK = Path("platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
_JVM_OPTIONS = (
    # In a Turkish locale the emulator breaks on upper and lower case of "i".
    "-Duser.language=en",
    # It starts often and lives for minutes: compiling and collecting less cleverly takes a quarter less CPU.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
)
_MAIN_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
# Homebrew does not link its openjdk into PATH.
HOMEBREW_JAVA = ("/opt/homebrew/opt/openjdk/bin/java", "/usr/local/opt/openjdk/bin/java")
# Java N writes class files of version N + 44.
_CLASS_FILE_OFFSET = 44


@dataclass(frozen=True)
class Release:
    """A downloadable version of the emulator, as firebase-tools' downloadableEmulatorInfo.json lists it."""

    version: str
    url: str
    size: int
    sha256: str


# The last version for Java 11 (1.20 and later need Java 21, which Debian 12 does not package);
# gcloud's component has the same major version. From firebase-tools 14.27.0.
RELEASE = Release(
    version="1.19.8",
    url="https://storage.googleapis.com/firebase-preview-drop/emulator/cloud-firestore-emulator-v1.19.8.jar",
    size=63634791,
    sha256="9d43599ed6151199e8d604dc87fac51218e49e5f3a48519b1ae560bbe5e3382d",
)


def sdk_roots(which: Callable[[str], str | None] = shutil.which, home: Path | None = None) -> Iterator[Path]:
    """Yield directories that may have a gcloud installation, the one in use first."""
    if gcloud := which("gcloud"):
        yield Path(gcloud).resolve().parents[1]
    yield Path("/usr/lib/google-cloud-sdk")
    yield (home or Path.home()) / "google-cloud-sdk"
    for brew in (Path("/opt/homebrew"), Path("/usr/local")):
        yield brew / "share/google-cloud-sdk"
        yield brew / "Caskroom/gcloud-cli/latest/google-cloud-sdk"
        yield brew / "Caskroom/google-cloud-sdk/latest/google-cloud-sdk"


def cached_jar(cache: Path, release: Release = RELEASE) -> Path:
    """Return the path of this release in the cache."""
    return cache / f"cloud-firestore-emulator-v{release.version}.jar"


def find_jar(roots: Iterator[Path], cache: Path, release: Release = RELEASE) -> Path | None:
    """Return the emulator's jar if this machine has one: a gcloud installation's, else a cached download."""
    candidates = [*(root / _JAR_IN_SDK for root in roots), cached_jar(cache, release)]
    return next((each for each in candidates if each.is_file()), None)


def fetch_jar(cache: Path, release: Release = RELEASE) -> Path:
    """Download a release into the cache; only a file with the right checksum ever gets its final name.

    Args:
        cache: Directory to put it in, made if missing.
        release: What to fetch.

    Returns:
        The jar's path.

    Raises:
        LocalStackError: It cannot be downloaded, or the file does not have the pinned checksum.
    """
    cache.mkdir(parents=True, exist_ok=True)
    target = cached_jar(cache, release)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    megabytes = release.size / 1e6
    print(f"Fetching Firestore's emulator {release.version} ({megabytes:.0f} MB, once)...", file=sys.stderr)
    digest = hashlib.sha256()
    try:
        with requests.get(release.url, stream=True, timeout=60) as answer, part.open("wb") as file:
            answer.raise_for_status()
            for chunk in answer.iter_content(1 << 20):
                digest.update(chunk)
                file.write(chunk)
        if (found := digest.hexdigest()) != release.sha256:
            raise LocalStackError(
                f"What {release.url} served is not Firestore's emulator {release.version}: its sha256 is\n"
                f"{found}, expected {release.sha256}.\n"
                f"It was thrown away. Perhaps a proxy served a page of its own; if not, try again."
            )
        part.replace(target)
    except requests.RequestException as error:
        raise LocalStackError(
            f"Firestore's emulator cannot be downloaded: {error}\n"
            f"Either make {release.url} reachable, or install it with gcloud:\n"
            f"  gcloud components install cloud-firestore-emulator\n"
            f"  sudo apt-get install google-cloud-cli-firestore-emulator   (Google's apt repository)"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _main_class(jar: Path) -> tuple[str, int]:
    """Return the jar's main class and the Java version that it was compiled for."""
    with zipfile.ZipFile(jar) as archive:
        manifest = archive.read("META-INF/MANIFEST.MF").decode()
        named = re.search(r"^Main-Class: *(\S+)", manifest, re.MULTILINE)
        # The jar of gcloud does not name one.
        name = named[1] if named else _MAIN_CLASS
        with archive.open(f"{name.replace('.', '/')}.class") as file:
            return name, int.from_bytes(file.read(8)[6:8], "big") - _CLASS_FILE_OFFSET


def find_java(needed: int, env: Mapping[str, str] = os.environ) -> str:
    """Return a `java` of at least the needed version.

    Raises:
        LocalStackError: None is found, or only an older one; the error says how to get one.
    """
    path = env.get("PATH", os.defpath)
    candidates = [
        f"{env['JAVA_HOME']}/bin/java" if env.get("JAVA_HOME") else None,
        shutil.which("java", path=path),
        *HOMEBREW_JAVA,
    ]
    found = "none was found"
    for java in candidates:
        if java is None or not Path(java).is_file():
            continue
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        # macOS has a /usr/bin/java that only reports that Java is missing. The version of Java 8 is "1.8".
        version = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
        if said.returncode == 0 and version:
            if int(version[1]) >= needed:
                return java
            found = f"{java} is Java {version[1]}"
    raise LocalStackError(
        f"Firestore's emulator needs Java {needed} or newer, and {found}. To get it:\n"
        f"  Debian, Ubuntu:  sudo apt-get install default-jre-headless\n"
        f"  macOS:           brew install openjdk"
    )


class FirestoreEmulator:
    """The emulator as a child process, or the one that `FIRESTORE_EMULATOR_HOST` names."""

    def __init__(
        self,
        port: int,
        log: Path,
        env: Mapping[str, str] = os.environ,
        *,
        cache: Path = CACHE,
        roots: Iterator[Path] | None = None,
    ) -> None:
        self.process: ManagedProcess | None = None
        self.host = env.get("FIRESTORE_EMULATOR_HOST", "")
        if self.host:
            return
        self.host = f"{HOST}:{port}"
        jar = find_jar(sdk_roots() if roots is None else roots, cache) or fetch_jar(cache)
        main_class, needed = _main_class(jar)
        arguments = ["--host", HOST, "--port", str(port)]
        self.process = ManagedProcess(
            "Firestore's emulator",
            [find_java(needed, env), *_JVM_OPTIONS, "-cp", str(jar), main_class, *arguments],
            is_ready=lambda _: self._answers(),
            log=log,
            env=env,
        )

    def _answers(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"http://{self.host}/", timeout=1).ok
            except requests.RequestException:
                return False
