"""Damaged files of every form that `curate load` and `curate mine --run` read, drawn by a seed."""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

SEED = os.environ.get("FUZZ_SEED", "0")  # `make fuzz` gives a fresh one, and prints it
COUNT = int(os.environ.get("FUZZ_INPUTS", "500"))


@dataclass(frozen=True)
class Damaged:
    """One file: the name and the kind under which it is given, and its bytes."""

    number: int
    name: str
    kind: str
    """A kind of `curate load`, or `run`."""
    content: bytes


@cache
def whole() -> dict[tuple[str, str], bytes]:
    """Return files as they should be, by kind and name. All are about passages p0 to p7 and queries q0 to q7."""
    passages = [(f"p{n}", f"title {n}", f'text "{n}", with a\ttab and\nan end') for n in range(8)]
    flat = [(name, title, text.replace("\n", " ").replace("\t", " ")) for name, title, text in passages]
    objects = b"".join(json.dumps({"_id": a, "title": b, "text": c}).encode() + b"\n" for a, b, c in passages)
    plain = "".join(f"{name}\t{text}\n" for name, _title, text in flat).encode()
    labels = [(f"q{n}", f"p{n}", n % 3) for n in range(8)]
    tsv = "".join(f"{query}\t{passage}\t{score}\n" for query, passage, score in labels)
    table = pa.table({"_id": [row[0] for row in passages], "text": [row[2] for row in passages]})
    judged = pa.table({"query-id": [row[0] for row in labels], "corpus-id": [row[1] for row in labels]})
    judged = judged.append_column("score", [[row[2] for row in labels]])
    llama = {"queries": {"q0": "a"}, "corpus": {"p0": "b"}, "relevant_docs": {"q0": ["p0"]}}
    verdict = {"query_id": "q0", "passage_id": "p0", "relevant": True, "annotator": "ann"}
    return {
        ("passages", "a.jsonl"): objects,
        ("passages", "a.jsonl.gz"): gzip.compress(objects, mtime=0),
        ("passages", "a.jsonl.zst"): bytes(pa.compress(objects, codec="zstd", asbytes=True)),
        ("passages", "a.tsv"): plain,
        ("passages", "header.tsv"): b"pid\ttext\n" + plain,
        ("passages", "quoted.tsv"): separated(["id", "title", "text"], passages, "\t", csv.QUOTE_ALL),
        ("passages", "a.csv"): separated(["id", "title", "text"], passages, ","),
        ("passages", "semicolons.csv"): separated(["id", "title", "text"], passages, ";"),
        ("passages", "a.parquet"): parquet(table),
        ("passages", "stream.arrow"): arrow(table, pa.ipc.new_stream),
        ("passages", "file.arrow"): arrow(table, pa.ipc.new_file),
        ("passages", "llama.json"): json.dumps(llama).encode(),
        ("queries", "q.tsv"): "".join(f"q{n}\tquestion {n}\n" for n in range(8)).encode(),
        ("queries", "llama.json"): json.dumps(llama, indent=2).encode(),
        ("qrels", "beir.tsv"): b"query-id\tcorpus-id\tscore\n" + tsv.encode(),
        ("qrels", "three.tsv"): tsv.encode(),
        ("qrels", "trec.txt"): "".join(f"{query} 0 {passage} 1\n" for query, passage, _ in labels).encode(),
        ("qrels", "a.csv"): separated(["query-id", "corpus-id", "score"], labels, ","),
        ("qrels", "a.parquet"): parquet(judged),
        ("annotations", "a.jsonl"): json.dumps(verdict).encode() + b"\n",
        ("run", "a.trec"): "".join(f"q{n} Q0 p{n} 1 {n}.5 tag\n" for n in range(8)).encode(),
        ("run", "three.tsv"): "".join(f"q{n}\tp{m}\t{m}\n" for n in range(3) for m in range(1, 4)).encode(),
    }


def separated(header: list[str], rows: Sequence[tuple[object, ...]], separator: str, quoting: int = 0) -> bytes:
    """Return rows as Python's csv module writes them."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerows([header, *rows])
    return out.getvalue().encode()


def parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def arrow(table: pa.Table, form: Callable[..., pa.RecordBatchStreamWriter]) -> bytes:
    """Return a table as an Arrow stream or file."""
    out = io.BytesIO()
    with form(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


TOKENS = [
    b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\xe9", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\x1b[2J", b"\\",
    b"\\ud800", b"\r\n", b"\r", b"\n\n", b"\t", b"\t\t", b" ", b'"', b'""', b'"\n', b",", b";", b"x" * 70_000,
    b"nan", b"inf", b"1e999", b"-1", b"0x10", b"1_0", b"1.0", b"2.5", b"18446744073709551616", b"9" * 400,
    b"true", b"null", b"{", b"}", b"[]", b"{}", b"qid\n", b"[" * 3000, b'{"a":' * 3000,
    b'"_id": 5, ', b'"text": ["x"], ', b'"query": "x", "pos": ["y"], ', b"id\ttext\n", b"q0 Q0 p0 1 1 tag\n",
    b"PAR1", b"ARROW1", b"\x1f\x8b", b"(\xb5/\xfd", b"BZh9", b"PK\x03\x04",
]  # fmt: skip


def flip(content: bytes, rng: Random) -> bytes:
    """Change a few bytes."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def cut(content: bytes, rng: Random) -> bytes:
    """Leave out the end, the beginning or the middle."""
    first, last = sorted(rng.randint(0, len(content)) for _ in range(2))
    return rng.choice([content[:first], content[first:], content[:first] + content[last:]])


def splice(content: bytes, rng: Random) -> bytes:
    """Put a part of another file in, or the rest of it behind."""
    other, at = rng.choice([*whole().values()]), rng.randint(0, len(content))
    first, last = sorted(rng.randint(0, len(other)) for _ in range(2))
    return content[:at] + other[first:last] + rng.choice([content[at:], b""])


def insert(content: bytes, rng: Random) -> bytes:
    """Put something nasty in, in place of nothing or of one byte."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(content))
        content = content[:at] + rng.choice(TOKENS) + content[at + rng.randint(0, 1) :]
    return content


def lines(content: bytes, rng: Random) -> bytes:
    """Shuffle the lines, repeat one, or change their ends."""
    parts = content.split(b"\n")
    choice = rng.randrange(3)
    if choice == 0:
        rng.shuffle(parts)
    elif choice == 1:
        parts.insert(rng.randrange(len(parts)), rng.choice(parts))
    return rng.choice([b"\n", b"\r\n", b"\r"] if choice == 2 else [b"\n"]).join(parts)


def encode(content: bytes, rng: Random) -> bytes:
    """Write the text in another encoding, or compress it."""
    text = content.decode("utf-8", "replace")
    forms: list[Callable[[], bytes]] = [
        lambda: text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7"])),
        lambda: text.encode("latin-1", "replace"),
        lambda: gzip.compress(content, mtime=0)[: rng.choice([None, -1, -9, 12])],
        lambda: bytes(pa.compress(content, codec="zstd", asbytes=True))[: rng.choice([None, -3])],
    ]
    return rng.choice(forms)()


MUTATIONS = [flip, flip, cut, splice, insert, insert, lines, encode]

CELLS: list[tuple[object, pa.DataType | None]] = [
    ("p1", None), ("", None), (" ", None), ("p1", pa.large_string()),
    ("p1", pa.dictionary(pa.int8(), pa.string())),
    (None, pa.null()), (None, pa.string()), (b"p1", None), (b"\xff", None), (True, None),
    (1, None), (2**63, pa.uint64()), (1.0, None), (1.5, None), (float("nan"), None), (1e300, None),
    (2.0**53, None), (1.0, pa.float32()), (2.0**24, pa.float32()), (1.0, pa.float16()),
    (Decimal("1.00"), None), (Decimal("1.5"), None), (Decimal(10**30), None),
    ([], None), (["p1"], None), ([[1]], None), ({"a": 1}, None),
    ([("a", 1)], pa.map_(pa.string(), pa.int64())),
    (datetime(2020, 1, 1, tzinfo=UTC), None), (-(2**62), pa.timestamp("s")),
    (1, pa.duration("s")), (1, pa.date32()),
]  # fmt: skip


def nested(rng: Random) -> tuple[str, bytes]:
    """Return a table whose columns have known names and types of any kind, as Parquet or Arrow."""
    names = rng.sample(["_id", "text", "title", "query-id", "corpus-id", "score", "docid"], rng.randint(1, 7))
    cells = [rng.choice(CELLS) for _ in names]
    columns = [pa.array([value] * 2, kind) for value, kind in cells]
    names = [rng.choice([name, name, name, "_id"]) for name in names]
    table = pa.Table.from_arrays(columns, names)
    forms: list[tuple[str, Callable[[], bytes]]] = [
        ("nested.arrow", lambda: arrow(table, pa.ipc.new_stream)),
        ("nested-file.arrow", lambda: arrow(table, pa.ipc.new_file)),
        ("nested.parquet", lambda: parquet(table)),
    ]
    name, write = rng.choice(forms)
    try:
        return name, write()
    except pa.ArrowException:  # Parquet cannot hold every type
        return "nested.arrow", arrow(table, pa.ipc.new_stream)


def damaged(seed: str = SEED, count: int = COUNT) -> Iterator[Damaged]:
    """Yield `count` files. Each depends on the seed and its number only, so that one can be made again alone."""
    for number in range(count):
        rng = Random(f"{seed} {number}")
        kind, name = rng.choice([*whole()])
        content = whole()[kind, name]
        if rng.random() < 0.1:
            name, content = nested(rng)
        else:
            for _ in range(rng.randint(1, 3)):
                content = rng.choice(MUTATIONS)(content, rng)
        yield Damaged(number, name, kind, content)
