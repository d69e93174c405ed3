"""What must be true of a built distribution before anybody installs it."""

import email
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.metadata import ExceptionGroup, Metadata
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Distribution:
    """One distribution of the repository.

    Attributes:
        name: As it is installed.
        folder: Where it lies.
        project: What its pyproject.toml says under [project].
        modules: Names of its modules outside the package.
    """

    name: str
    folder: Path
    project: dict
    modules: tuple[str, ...] = ()

    @property
    def package(self) -> Path:
        """Folder of the import package."""
        return self.folder / self.name.replace("-", "_")

    @property
    def requirements(self) -> list[Requirement]:
        """The declared dependencies, those of extras left out."""
        return [Requirement(line) for line in self.project.get("dependencies", [])]

    def source(self) -> dict[str, bytes]:
        """Returns what its wheel must hold: the files of the package and the modules beside it, by their names."""
        files = [path for path in self.package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        files += [self.folder / f"{module}.py" for module in self.modules]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}


def distributions(root: Path = ROOT) -> list[Distribution]:
    """Returns the distributions of the repository, zoo-core first."""
    files = [root / "pyproject.toml", root / "envs" / "pyproject.toml", *sorted(root.glob("plugins/*/pyproject.toml"))]
    found = []
    for file in files:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        modules = data.get("tool", {}).get("setuptools", {}).get("py-modules", [])
        found.append(Distribution(data["project"]["name"], file.parent, data["project"], tuple(modules)))
    return found


def built(distribution: Distribution, dist: Path) -> tuple[Path, Path]:
    """Returns the wheel and the sdist of a distribution.

    Raises:
        FileNotFoundError: One of them is not there exactly once.
    """
    stem = distribution.name.replace("-", "_")
    found = [sorted(dist.glob(f"{stem}-*{suffix}")) for suffix in (".whl", ".tar.gz")]
    if [len(files) for files in found] != [1, 1]:
        raise FileNotFoundError(f"{dist} must hold one wheel and one sdist of {distribution.name}, has {found}")
    return found[0][0], found[1][0]


def problems(distribution: Distribution, dist: Path) -> list[str]:
    """Returns what is wrong with the wheel and the sdist of a distribution, a line each."""
    wheel, sdist = built(distribution, dist)
    contents = _wheel_contents(wheel), _sdist_contents(sdist)
    found = [f"{wheel.name}: {problem}" for problem in _wheel_problems(distribution, contents[0])]
    return found + [f"{sdist.name}: {problem}" for problem in _sdist_problems(distribution, contents[1])]


def _wheel_problems(distribution: Distribution, files: dict[str, bytes]) -> list[str]:
    info = next(name.split("/")[0] for name in files if name.endswith(".dist-info/METADATA"))
    code = {name: data for name, data in files.items() if not name.startswith(f"{info}/")}
    source = distribution.source()
    found = _code_problems(source, code)
    if more := sorted(code.keys() - source.keys()):
        found.append(f"holds what is not in the source: {', '.join(more[:3])}")
    if files.get(f"{info}/licenses/LICENSE") != (ROOT / "LICENSE").read_bytes():
        found.append("lacks the licence of the repository")
    return found + metadata_problems(files[f"{info}/METADATA"], (distribution.folder / "README.md").read_text())


def _sdist_problems(distribution: Distribution, files: dict[str, bytes]) -> list[str]:
    found = _code_problems(distribution.source(), files)
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        if files.get(name) != (distribution.folder / name).read_bytes():
            found.append(f"lacks {name}")
    return found


def _code_problems(source: dict[str, bytes], files: dict[str, bytes]) -> list[str]:
    """Compares files of a distribution with their source, so that none is left out or another one's."""
    found = [f"lacks {name}" for name in sorted(source.keys() - files.keys())]
    return found + [
        f"has another {name} than the source"
        for name in sorted(source.keys() & files.keys())
        if files[name] != source[name]
    ]


def metadata_problems(metadata: bytes, readme: str) -> list[str]:
    """Returns what is missing in the core metadata of a wheel, and what an index would refuse.

    Args:
        metadata: The file METADATA.
        readme: What it must describe itself with.
    """
    try:
        parsed = Metadata.from_email(metadata, validate=True)
    except ExceptionGroup as group:
        return [f"metadata: {error}" for error in group.exceptions]
    wanted = ("summary", "author", "keywords", "classifiers", "requires_python", "license_expression", "license_files")
    found = [f"metadata: no {name}" for name in wanted if not getattr(parsed, name)]
    described = email.message_from_bytes(metadata).get_payload(decode=True).decode()
    if parsed.description_content_type != "text/markdown" or described.strip() != readme.strip():
        found.append("metadata: the description is not README.md")
    for requirement in parsed.requires_dist or []:
        operators = {specifier.operator for specifier in requirement.specifier}
        ours, optional = requirement.name.startswith("zoo-"), "extra" in str(requirement.marker)
        if ours and not operators >= {">=", "<"}:
            found.append(f"metadata: {requirement} must have bounds on both sides, as in zoo-core>=0.1,<0.2")
        elif not optional and not operators & {">=", "==", "~="}:
            found.append(f"metadata: {requirement} must say from which version on")
    return found


def _wheel_contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _sdist_contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {member.name.partition("/")[2]: archive.extractfile(member).read() for member in members}
