"""PostgreSQL 15's own tests: the source package, the modules built from it, and binaries of the same minor version.

Everything lies under .cache/conformance: the machine's apt configuration is read (for its mirror and its keys) and never
written, and apt checks signatures as always. The source must have the version of the server it is run against. When an
archive no longer has the source of the installed version, the newest one that it has is taken, with the server, psql and
libpq of that version unpacked beside it (not installed).
"""

import glob
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "conformance"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGE = "postgresql-15"
BINARIES = [PACKAGE, "postgresql-client-15", "postgresql-server-dev-15", "libpq5", "libpq-dev"]
RELEASE = "bookworm"


class Unavailable(Exception):
    """Something that the suite needs cannot be had; the text says what."""


@dataclass
class Suite:
    version: str      # of the Debian package: "15.18-0+deb12u1"
    source: Path      # the unpacked source tree
    prefix: Path      # "/" when the installed server is used, else where its packages are unpacked
    build: Path       # what was compiled here

    @property
    def bin(self):
        return self.prefix / "usr/lib/postgresql/15/bin"

    @property
    def pkglib(self):
        return self.prefix / "usr/lib/postgresql/15/lib"

    @property
    def pg_regress(self):
        return self.pkglib / "pgxs/src/test/regress/pg_regress"

    @property
    def regress_dir(self):
        return self.source / "src/test/regress"

    @property
    def library_dirs(self):
        return sorted(glob.glob(str(self.prefix / "usr/lib/*-linux-gnu")))

    def environment(self):
        """os.environ without libpq's variables, and with libpq of the same version first."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG") and not k.startswith("LC_")}
        env["LC_ALL"] = "C"
        if str(self.prefix) != "/":
            env["LD_LIBRARY_PATH"] = ":".join(self.library_dirs)
        return env


def run(command, **kwargs):
    """Runs it; its output is in the exception when it fails."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(map(str, command))}:\n{done.stdout[-3000:]}")
    return done.stdout


def installed_version():
    text = run(["dpkg-query", "-W", "-f=${source:Version}", PACKAGE]).strip()
    if not text:
        raise Unavailable(f"{PACKAGE} is not installed (scripts/install demo)")
    return text


def mirrors():
    """The archives of this machine that carry Debian and its security updates, as [(uri, suite)]."""
    text = ""
    for name in [*glob.glob("/etc/apt/sources.list.d/*"), "/etc/apt/sources.list"]:
        if os.path.isfile(name):
            text += Path(name).read_text(errors="replace") + "\n"
    uris = sorted(set(re.findall(r"\bhttps?://[^\s\]]+/debian(?:-security)?(?=[/\s]|$)", text)))
    found = []
    for uri in uris:
        if "snapshot" in uri:
            continue
        found += [(uri, f"{RELEASE}-security")] if uri.endswith("-security") else [(uri, RELEASE), (uri, f"{RELEASE}-updates")]
    if not found:
        raise Unavailable("no Debian mirror found in /etc/apt")
    return found


class Apt:
    """apt-get with a source list, package lists and archives of its own under the cache."""

    def __init__(self):
        state = CACHE / "apt"
        for name in ["lists/partial", "archives/partial"]:
            (state / name).mkdir(parents=True, exist_ok=True)
        lines = [f"{kind} [signed-by={KEYRING}] {uri} {suite} main\n" for uri, suite in mirrors() for kind in ("deb", "deb-src")]
        (state / "sources.list").write_text("".join(lines))
        settings = {
            "Dir::Etc::sourcelist": state / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": state / "lists", "Dir::Cache::archives": state / "archives",
            "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
            "APT::Sandbox::User": "root", "Acquire::Languages": "none",
        }
        self.options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def get(self, *arguments, cwd=None):
        return run(["apt-get", *self.options, "-qq", *arguments], cwd=cwd)

    def source_versions(self):
        """Newest first."""
        text = run(["apt-cache", *self.options, "showsrc", "--only-source", PACKAGE])
        versions = set(re.findall(r"^Version: (\S+)$", text, re.M))
        def newer(version):
            return [int(n) for n in re.findall(r"\d+", version)]
        return sorted(versions, key=newer, reverse=True)


def fetch_source(apt, version, home):
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    apt.get("source", "--only-source", f"{PACKAGE}={version}", cwd=home)
    trees = [p for p in home.iterdir() if p.is_dir()]
    if len(trees) != 1:
        raise Unavailable(f"{PACKAGE}={version}: the source package did not unpack")


def fetch_binaries(apt, version, prefix):
    shutil.rmtree(prefix, ignore_errors=True)
    packages = prefix.with_name("packages")
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    apt.get("download", *[f"{name}={version}" for name in BINARIES], cwd=packages)
    for package in sorted(packages.glob("*.deb")):
        run(["dpkg", "-x", package, prefix])
    shutil.rmtree(packages)


def fetch(installed):
    """Fills the cache and returns the version that it has now."""
    apt = Apt()
    apt.get("update")
    refusals = []
    for version in [installed] + [v for v in apt.source_versions() if v != installed]:
        home = CACHE / version
        try:
            fetch_source(apt, version, home / "source")
            if version != installed:
                fetch_binaries(apt, version, home / "server")
        except Unavailable as error:
            refusals.append(str(error))
            shutil.rmtree(home, ignore_errors=True)
            continue
        return version
    raise Unavailable("\n".join(refusals) or f"no source package of {PACKAGE} is listed")


def compile_modules(suite):
    """regress.so, with refint.so and autoinc.so beside it, in build/lib; libpq_pipeline in build."""
    lib = suite.build / "lib"
    if (suite.build / "complete").exists():
        return
    lib.mkdir(parents=True, exist_ok=True)
    include = suite.prefix / "usr/include/postgresql"
    flags = ["-O2", "-g", "-fno-strict-aliasing", "-fwrapv", "-D_GNU_SOURCE"]
    run(["cc", *flags, "-fPIC", "-shared", f"-I{include}/15/server", suite.regress_dir / "regress.c", "-o", lib / "regress.so"])
    for name in ["refint.so", "autoinc.so"]:
        shutil.copy(suite.pkglib / name, lib / name)
    library = suite.library_dirs[0] if suite.library_dirs else "/usr/lib"
    run(["cc", *flags, "-DFRONTEND", f"-I{include}", f"-I{include}/internal", f"-I{include}/15/server",
         suite.source / "src/test/modules/libpq_pipeline/libpq_pipeline.c", "-o", suite.build / "libpq_pipeline",
         f"-L{suite.pkglib}", f"-L{library}", "-lpgcommon", "-lpgport", f"-l:libpq.so.5", "-lm"])
    (suite.build / "complete").touch()


def suite():
    """The suite, fetched and compiled on the first call."""
    installed = installed_version()
    CACHE.mkdir(parents=True, exist_ok=True)
    chosen = CACHE / f"chosen-for-{installed}"
    if not chosen.exists():
        chosen.write_text(fetch(installed))
    version = chosen.read_text()
    home = CACHE / version
    trees = [p for p in (home / "source").iterdir() if p.is_dir()]
    prefix = Path("/") if version == installed else home / "server"
    result = Suite(version, trees[0], prefix, home / "build")
    compile_modules(result)
    return result


if __name__ == "__main__":
    print(suite())
