"""What make_results.py and gpu_results.py, which write parts of results.md, share."""

GPU_HEADING = "## On a GPU"  # the page's last section


def read(path):
    with open(path) as f:
        return f.read()


def command(options):
    """The call of pretrain with these options, less the names of folders and what is empty."""
    return "pretrain --data DIR " + " ".join(f"--{key}" if value is True else f"--{key} {value}"
                                             for key, value in options.items()
                                             if key not in {"arch", "out", "data"} and value != ""
                                             and value is not False)
