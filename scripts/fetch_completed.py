#!/usr/bin/env python3
"""fetch_completed.py [--status STATUS]... [--owner NAME] [DIR]

Fetch every execution that has completed into DIR/EXECUTION_ID.json (default
./completed): its record, request, metadata, chunks and text. SPOOL_URL and
SPOOL_KEY say from which server. Run it as often as you like, also twice at once:
a file that is there is whole and is not fetched again, and DIR/.cursor keeps
where everything older has been seen to its end. Python's standard library only.
"""
import argparse
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

LIVE = ("queued", "streaming")
# An id is given a little before the execution can be seen.
LATE_MS = 60_000
TRIES = 8

URL = os.environ.get("SPOOL_URL", "http://127.0.0.1:8080").rstrip("/")
KEY = os.environ.get("SPOOL_KEY", "")


def get(path, **query):
    """The JSON at path; None when it is not there."""
    query = {k: v for k, v in query.items() if v not in (None, "")}
    url = URL + path + ("?" + urllib.parse.urlencode(query) if query else "")
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    if KEY:
        request.add_header("Authorization", "Bearer " + KEY)
    for left in reversed(range(TRIES)):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            if error.code not in (429, 502, 503, 504) or not left:
                sys.exit(f"{path}: {error.code} {error.read(2000).decode(errors='replace')}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not left:
                sys.exit(f"{URL}: {error}")
        time.sleep(min(0.2 * 2 ** (TRIES - left), 5))


def stamp(execution_id):
    """When the id (a UUIDv7) was made, in ms since 1970."""
    return int(execution_id.replace("-", "")[:12], 16)


def newer_than(cursor, owner):
    """All executions newer than cursor, as lists show them, newest first."""
    after = None
    while True:
        page = get("/v1/executions", limit=1000, after=after, owner=owner)
        for execution in page["executions"]:
            if execution["execution_id"] <= cursor:
                return
            yield execution["execution_id"], execution["status"]
        after = page["next"]
        if not after:
            return


def fetch(execution_id):
    """One execution, whole; None when it was deleted meanwhile."""
    one = get(f"/v1/executions/{execution_id}")
    if one is None:
        return None
    one["chunks"] = []
    completed = False
    while not completed:
        page = get(f"/v1/executions/{execution_id}/chunks", fromIndex=len(one["chunks"]), limit=1000)
        if page is None:
            return None
        one["chunks"] += page["chunks"]
        completed = page["completed"]
    kinds = [chunk["metadata"]["kind"] for chunk in one["chunks"]]
    begin = len(kinds) - kinds[::-1].index("reset") if "reset" in kinds else 0
    one["text"] = "".join(
        chunk["content"] for chunk in one["chunks"][begin:] if chunk["metadata"]["kind"] == "text")
    return one


def write(path, text):
    """The file appears whole or not at all."""
    fresh = f"{path}.{os.getpid()}.new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--status", action="append", choices=["completed", "failed", "cancelled"])
    parser.add_argument("--owner")
    parser.add_argument("dir", nargs="?", default="completed")
    args = parser.parse_args()
    wanted = args.status or ["completed"]
    cursor_file = os.path.join(args.dir, ".cursor")

    os.makedirs(args.dir, mode=0o700, exist_ok=True)
    # Another choice has another past: its cursor is not ours.
    choice = " ".join(sorted(wanted) + [args.owner or ""])
    cursor = ""
    if os.path.exists(cursor_file):
        with open(cursor_file, encoding="utf-8") as file:
            cursor, _, old_choice = file.read().rstrip("\n").partition("\t")
        if old_choice != choice:
            cursor = ""

    seen = list(newer_than(cursor, args.owner))[::-1]
    fetched = 0
    for execution_id, status in seen:
        path = os.path.join(args.dir, execution_id + ".json")
        if status not in wanted or os.path.exists(path):
            continue
        one = fetch(execution_id)
        if one is not None:
            write(path, json.dumps(one, ensure_ascii=False) + "\n")
            fetched += 1
    # Up to the first that has not ended, and not into what may still appear.
    for execution_id, status in seen:
        if status in LIVE or stamp(execution_id) > stamp(seen[-1][0]) - LATE_MS:
            break
        cursor = execution_id
    write(cursor_file, f"{cursor}\t{choice}\n")
    print(f"{fetched} fetched, {sum(s in LIVE for _, s in seen)} have not ended", file=sys.stderr)


if __name__ == "__main__":
    main()
