"""Images and containers by podman, in a store of their own below build/real. No registry is asked: what the Dockerfile begins from is
a Debian that setup.sh has put there."""
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = ROOT / "build/real"
BASE, DEBIAN = "docker.io/library/debian:12-slim", BUILT / "debian.tar"
LIMITS = ["--ulimit", "nofile=1024:2048", "--ulimit", "nproc=1000:1000"]  # a machine may not allow podman's own


def podman(*arguments, timeout=180, check=True):
    """The result of the command; what it printed is in stdout, as text."""
    command = ["podman", "--root", BUILT / "containers", "--runroot", BUILT / "containers-run", "--runtime", "runc",
               "--cgroup-manager", "cgroupfs", "--events-backend", "none", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def obstacle():
    """Why this machine runs no container, not even one that does nothing; None when it does."""
    if podman("image", "exists", BASE, check=False).returncode != 0:
        imported = podman("import", DEBIAN, BASE, check=False)
        if imported.returncode != 0:
            return imported.stderr
    done = podman("run", "--rm", "--network", "host", *LIMITS, BASE, "true", check=False)
    return done.stderr or "podman run fails" if done.returncode != 0 else None


def build(name, *options):
    """Builds an image from the root of the sources, with as much of the last build as has not changed."""
    podman("build", "--network", "host", "--isolation", "chroot", "--pull=never", "--format", "docker", *LIMITS, "-t", name, *options, ".")
    podman("image", "prune", "--force")


def build_portico(binary, folder):
    """The image of the Dockerfile around a binary that is there already: its first stage would compile for minutes."""
    (folder / "build").mkdir()
    shutil.copy(binary, folder / "build/portico")
    build("localhost/portico", "--build-context", f"build={folder}")


class Container:
    """A running container, on the network of the machine."""

    def __init__(self, image, config, *options):
        self.config = config
        options = ["--network", "host", *LIMITS, "--volume", f"{config}:/etc/portico/portico.yaml:ro", *options]
        self.id = podman("run", "--detach", *options, image).stdout.split()[-1]

    def execute(self, *command, options=(), check=True):
        return podman("exec", *options, self.id, *command, check=check)

    def state(self, template):
        return podman("inspect", "--format", "{{" + template + "}}", self.id).stdout.strip()

    def logs(self):
        done = podman("logs", self.id)
        return done.stdout + done.stderr

    def rewrite(self, text):
        """In place: the container has mounted this file, not its name."""
        with open(self.config, "w") as file:
            file.write(text)

    def remove(self):
        podman("rm", "--force", "--time", "1", self.id)
