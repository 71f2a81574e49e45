"""What the kernel says of processes that are not ours to wait for."""
import pathlib


def states(pid):
    """Of the threads of a process: "T" is stopped."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks}


def has_ended(pid):
    """Also when nobody has asked for its exit code yet."""
    try:
        return states(pid) == {"Z"}
    except (FileNotFoundError, ProcessLookupError):
        return True
