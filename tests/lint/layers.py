"""Include direction from gateway/layers.txt, libraries only behind their own walls, and the words not used here."""
import re

from source import GATEWAY, code, finding, gateway_files, report

EVENT_FILES = ("net/", "base/alarm.c", "base/mailbox.c", "base/timer.c", "upstream/dns_channel.c", "upstream/name_cache.c",
               "upstream/name_trial.c", "process/")
# header, call, files that may use them
LIBRARIES = [
    (r"event2/|event\.h|evutil\.h", r"(?:event|evutil|evbuffer|bufferevent|evconnlistener)_\w+", EVENT_FILES),
    (r"ares\w*\.h", r"ares_\w+", ("upstream/dns_channel.c",)),
    (r"yaml\.h", r"yaml_(?:parser|event|token|document)_\w+", ("config/yaml_tree.c",)),
    (r"pcre2\w*\.h", r"pcre2_\w+", ("policy/",)),
]
WORDS = {"downstream", "backend", "peer", "context", "manager", "helper", "util"}
# names that are not ours to choose, and the one module that is called so
SPARED = re.compile(r"(?:pcre2|ares|yaml|event|evutil|EVP|SSL|OSSL|nghttp2)_|(?:PORTICO_NET_)?tls_context", re.I)
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')


def read_layers():
    path = GATEWAY / "layers.txt"
    rows = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            folder, allowed = line.split(":")
            rows[folder] = set(allowed.split()) | {folder}
    for folder, allowed in rows.items():
        if "all" in allowed:
            rows[folder] = set(rows)
        for unknown in sorted(allowed - set(rows) - {"all"}):
            finding(path, 1, f"{folder} may include {unknown}, which has no row; add one or take it out")
    return rows


def folder_of(parts):
    return parts[0] if len(parts) > 1 else parts[0].split(".")[0]


def check_include(layers, path, number, included):
    own = folder_of(path.relative_to(GATEWAY).parts)
    target = included.split("/")[0]
    if "/" in included and target in layers and target not in layers.get(own, ()):
        finding(path, number, f"{own} may not include {included}; move the line to a floor above {target}")


def check_libraries(path, number, included, line):
    name = path.relative_to(GATEWAY).as_posix()
    for header, call, allowed in LIBRARIES:
        if name.startswith(allowed):
            continue
        if included and re.match(header, included):
            finding(path, number, f"{included} belongs to {', '.join(allowed)}; go through what they offer")
        for used in re.findall(rf"\b({call})\s*\(", line):
            finding(path, number, f"{used}() belongs to {', '.join(allowed)}; go through what they offer")


def forbidden(identifier):
    return {part.lower().removesuffix("s") for part in identifier.split("_")} & WORDS


def check_words(path, number, line):
    for identifier in re.findall(r"[A-Za-z_]\w*", line):
        if not SPARED.match(identifier) and forbidden(identifier):
            finding(path, number, f"{identifier}: {', '.join(forbidden(identifier))} names nothing here; "
                    "say what it is (client, upstream, endpoint, inbound, outbound, ...)")


def check_file(layers, path):
    parts = path.relative_to(GATEWAY).parts
    if folder_of(parts) not in layers:
        finding(path, 1, f"{folder_of(parts)} has no row in layers.txt; add it with what it may include")
    if forbidden(path.stem) and not SPARED.match(path.stem):
        finding(path, 1, f"{', '.join(forbidden(path.stem))} names nothing here; call the file by what it owns")
    raw = path.read_text()
    for number, (line, text) in enumerate(zip(code(raw).splitlines(), raw.splitlines()), 1):
        directive = re.match(r"\s*#\s*include", line)
        included = INCLUDE.match(text).group(1) if directive and INCLUDE.match(text) else None
        if included:
            check_include(layers, path, number, included)
        check_libraries(path, number, included, line)
        if not directive:
            check_words(path, number, line)


def main():
    layers = read_layers()
    for path in gateway_files(".c", ".h", ".def"):
        check_file(layers, path)
    report()


main()
