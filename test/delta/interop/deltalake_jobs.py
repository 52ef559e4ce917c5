"""Jobs for the Python package deltalake, as JSON lines: {op, path, …}, answered one by one."""
import json
import os
import sys

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

sys.path.insert(0, os.path.dirname(__file__))
from values import texts  # noqa: E402


def read(path, version=None, **_):
    return texts(DeltaTable(path, version=version).to_pyarrow_table().to_pylist())


def feed(path, start=0, **_):
    rows = pa.table(DeltaTable(path).load_cdf(starting_version=start)).to_pylist()
    return texts({name: value for name, value in row.items() if name != "_commit_timestamp"} for row in rows)


def table(ids, city="oslo"):
    return pa.table({"id": pa.array(ids, pa.int32()), "city": pa.array([city] * len(ids), pa.string())})


def make(path, **_):
    """A table with partitions, a checkpoint, updates, deletes and a merge, that keeps its changes."""
    configuration = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, table([1, 2, 3]), partition_by=["city"], configuration=configuration)
    write_deltalake(path, table([4, 5], "bergen"), mode="append")
    write_deltalake(path, table([6], None), mode="append")
    made = DeltaTable(path)
    made.update(predicate="id = 2", updates={"city": "'rome'"})
    made.delete("id = 4")
    made.merge(table([5, 7], "kiel"), "t.id = s.id", "s", "t").when_matched_update_all().when_not_matched_insert_all().execute()
    made.create_checkpoint()
    write_deltalake(path, table([8]), mode="append")
    return True


def append(path, start, count, **_):
    for i in range(count):
        write_deltalake(path, table([start + i], "python"), mode="append", commit_properties=CommitProperties(max_commit_retries=1000))
    return True


def stats(path, **_):
    return DeltaTable(path).get_add_actions(flatten=True).num_rows


jobs = {"read": read, "feed": feed, "make": make, "append": append, "stats": stats}
for line in sys.stdin:
    job = json.loads(line)
    try:
        print(json.dumps({"ok": jobs[job["op"]](**{key: value for key, value in job.items() if key != "op"})}), flush=True)
    except Exception as error:  # told to the other side
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
