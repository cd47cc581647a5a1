#!/usr/bin/env python3
"""Second, independent verifier of an Aegis audit log, from the format's description: all but the signatures.
Prints one JSON line: {"outcome", "records", "open", "reason"}. Exit 0 clean, 6 tampered, 8 incomplete.
"""
import hashlib, json, os, re, sys

ZERO = "0" * 64
EVENTS = {"decision", "result", "auth", "admin", "bundle", "alarm", "gap"}

class Torn(Exception): pass

def need(condition, reason):
    if not condition:
        raise ValueError(reason)

def sha(data):
    return hashlib.sha256(data).hexdigest()

def merkle(leaves):
    """RFC 6962 section 2.1, as written there."""
    level = [hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    return level[0]

def hashed(line, h):
    return line.endswith(b',"h":"%s"}' % h.encode()) and sha(b"aegis-audit-v1\n" + line[:-72] + b"}") == h

def read(path):
    with open(path, "rb") as file:
        return file.read()

def statement(line, log, kind, what):
    body = json.loads(line)
    need(isinstance(body, dict) and body.get("kind") == kind and body.get("log") == log, what + ": not a " + kind)
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    text = re.sub("[\x7f-\x9f\u2028\u2029]", lambda match: "\\u%04x" % ord(match[0]), text)
    need(text + "\n" == line.decode(), what + ": form")
    return body

class Log:
    def __init__(self, path):
        self.path, self.heads, self.open, self.gseq, self.records = path, {}, {}, 0, 0
        self.prev_seal, self.log = ZERO, read(os.path.join(path, "log-id")).decode()[:-1]

    def record(self, line, where):
        body = json.loads(line)
        need(list(body) == ["v", "log", "ten", "seq", "gseq", "t", "mono", "ev", "body", "prev", "h"], where + ": fields")
        need(body["v"] == 1 and body["log"] == self.log and body["ev"] in EVENTS, where + ": envelope")
        need(hashed(line, body["h"]), where + ": hash")
        seq, prev = self.heads.get(body["ten"], (0, ZERO))
        need(body["gseq"] == self.gseq + 1, where + ": global sequence")
        need(body["seq"] == seq + 1 and body["prev"] == prev, where + ": chain")
        self.heads[body["ten"]], self.gseq, self.records = (body["seq"], body["h"]), self.gseq + 1, self.records + 1
        inner, ten = body["body"], body["ten"]
        if body["ev"] == "decision" and inner.get("effect") == "allow" and isinstance(inner.get("id"), str):
            self.open[(ten, inner["id"])] = True
        closed = [inner.get("id")] if body["ev"] == "result" else inner.get("decisions", []) if body["ev"] == "gap" else []
        for name in closed:
            self.open.pop((ten, name), None)
        return body["h"]

    def header(self, line, number, where):
        body = json.loads(line)
        need(body.get("kind") == "segment" and body["log"] == self.log and body["seg"] == number, where + ": header")
        need(hashed(line, body["h"]) and body["prevSeal"] == self.prev_seal, where + ": header hash")
        need(body["gseq"] == self.gseq, where + ": header sequence")
        need(body["heads"] == [[ten, seq, head] for ten, (seq, head) in self.heads.items()], where + ": header heads")
        need(body["open"] == [list(key) for key in self.open], where + ": header open")
        return body["h"]

    def segment(self, number, last):
        stem = os.path.join(self.path, "segment-%08d" % number)
        need(os.path.exists(stem + ".jsonl"), stem + ": segment missing")
        data, sealed = read(stem + ".jsonl"), os.path.exists(stem + ".seal.json")
        need(sealed or last, stem + ": seal missing")
        lines, rest = data.split(b"\n")[:-1], data.split(b"\n")[-1]
        leaves = []
        for index, line in enumerate(lines):
            where = "%s:%d" % (stem, index + 1)
            leaves.append(self.record(line, where) if index else self.header(line, number, where))
        torn = rest or not lines
        need(not (torn and sealed), stem + ": torn under a seal")
        seal_hash = sha(read(stem + ".seal.json")) if sealed else None
        previous = ZERO
        checkpoints = read(stem + ".checkpoints.jsonl").split(b"\n")[:-1] if os.path.exists(stem + ".checkpoints.jsonl") else []
        for line in checkpoints:
            body = statement(line + b"\n", self.log, "checkpoint", stem)
            need(body["seg"] == number and body["prev"] == previous and body["size"] <= len(leaves), stem + ": checkpoint")
            need(merkle(leaves[: body["size"]]).hex() == body["root"], stem + ": checkpoint root")
            need(body["sealed"] in (None, seal_hash), stem + ": sealed by another seal")
            previous = sha(line + b"\n")
        if sealed:
            body = statement(read(stem + ".seal.json"), self.log, "seal", stem)
            need(body["seg"] == number and body["prevSeal"] == self.prev_seal, stem + ": seal chain")
            need(body["root"] == merkle(leaves).hex() and body["size"] == len(leaves), stem + ": seal root")
            need(body["bytes"] == len(data) and body["gseq"] == self.gseq, stem + ": seal counts")
            need(body["heads"] == [[ten, seq, head] for ten, (seq, head) in self.heads.items()], stem + ": seal heads")
            self.prev_seal = seal_hash
        if torn:
            raise Torn(stem + ": torn tail")

def verify(path):
    log, outcome, reason = None, "clean", None
    try:
        numbers = [int(m[1]) for m in (re.match(r"segment-(\d{8})\.", name) for name in os.listdir(path)) if m]
        if not numbers:
            raise Torn("no segment")
        log = Log(path)
        for number in range(1, max(numbers) + 1):
            log.segment(number, number == max(numbers))
    except Torn as torn:
        outcome, reason = "incomplete", str(torn)
    except (ValueError, KeyError, TypeError, AttributeError) as bad:
        outcome, reason = "tampered", repr(bad)
    return {"outcome": outcome, "records": log.records if log else 0, "open": len(log.open) if log else 0, "reason": reason}

for directory in sys.argv[1:]:
    verdict = verify(directory)
    print(json.dumps(verdict))
sys.exit({"clean": 0, "tampered": 6, "incomplete": 8}[verdict["outcome"]])
