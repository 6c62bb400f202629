# judge.py TOOL EXPLAINED OUTPUT - prints what a tool found and EXPLAINED does not explain; exit 1 if there is any
#
# EXPLAINED has lines "TOOL:CHECK | FILE | part of the line that is pointed at | why it is right so". FILE is a path or just
# a name; CHECK and FILE may be patterns, the part may be * (the whole file). The line is named by its text, so that it may
# move.
import fnmatch
import os
import re
import sys

FINDING = re.compile(r'^(?P<file>[^:\s]+):(?P<line>\d+):(?:\d+:)? (?P<text>.*) \[(?:CWE-\d+\] \[)?(?P<check>[\w.,+-]+)\]$')
MISSPELT = re.compile(r'^(?P<file>[^:\s]+):(?P<line>\d+): (?P<text>(?P<check>\S+) ==> .*)$')
BROKEN = re.compile(r'^(?P<file>[^:\s]+):(?P<line>\d+):(?:\d+:)? (?P<text>(?:fatal )?(?P<check>error): .*)$')


def explained_in(path, tool):
    entries = []
    for n, line in enumerate(open(path, encoding='utf-8'), 1):
        if line.startswith('#') or not line.strip():
            continue
        parts = [p.strip() for p in line.split(' | ', 3)]
        if len(parts) != 4 or ':' not in parts[0] or not parts[3]:
            sys.exit(f'{path}:{n}: not TOOL:CHECK | FILE | TEXT | WHY')
        if parts[0].startswith(tool + ':'):
            entries.append((parts[0].split(':', 1)[1], parts[1], parts[2], n))
    return entries


def findings_in(path, tool):
    kinds = [MISSPELT] if tool == 'spell' else [FINDING, BROKEN]
    seen = set()
    for line in open(path, encoding='utf-8', errors='replace'):
        for kind in kinds:
            m = kind.match(line.rstrip('\n'))
            if m and not m['text'].startswith('note: ') or m and tool == 'shell':
                seen.add((os.path.relpath(m['file']), int(m['line']), m['check'], m['text']))
                break
    return sorted(seen)


def line_of(path, n):
    try:
        with open(path, encoding='utf-8', errors='replace') as f:
            return next((line for i, line in enumerate(f, 1) if i == n), '')
    except OSError:
        return ''


def explains(entry, path, check, source):
    of_check, of_file, part, _ = entry
    return (
        fnmatch.fnmatch(check, of_check)
        and (fnmatch.fnmatch(path, of_file) or fnmatch.fnmatch(os.path.basename(path), of_file))
        and (part == '*' or part in source)
    )


def main():
    tool, list_path, output = sys.argv[1:]
    entries = explained_in(list_path, tool)
    used, unexplained, found = set(), 0, findings_in(output, tool)
    for path, n, check, text in found:
        source = line_of(path, n)
        hit = [e for e in entries if explains(e, path, check, source)]
        used.update(e[3] for e in hit)
        if not hit:
            unexplained += 1
            print(f'{path}:{n}: {text} [{tool}:{check}]\n    {source.strip()}')
    for e in entries:
        if e[3] not in used:
            print(f'{list_path}:{e[3]}: explains what {tool} no longer finds')
    print(f'{tool}: {len(found)} found, {unexplained} not explained')
    sys.exit(1 if unexplained else 0)


main()
