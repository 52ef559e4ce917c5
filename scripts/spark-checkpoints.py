"""Makes the checkpoints of test/checkpoints/spark-4.2.0 with real Spark: python scripts/spark-checkpoints.py (needs pyspark 4.2.0).

Five files of one row each, one a batch, and a compaction of the log of files every third batch. Of the state of the stateful query
only the operator's metadata is kept, which is all that the import looks at.
"""

import os
import shutil
import tempfile

from pyspark.sql import SparkSession

target = os.path.join(os.path.dirname(__file__), "..", "test", "checkpoints", "spark-4.2.0")
work = tempfile.mkdtemp()
source = os.path.join(work, "in")
os.makedirs(source)
for i in range(5):
    path = os.path.join(source, f"f{i}.json")
    with open(path, "w") as file:
        file.write('{"n":%d}\n' % i)
    os.utime(path, (1_700_000_000 + i, 1_700_000_000 + i))

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.streaming.fileSource.log.compactInterval", "3")
    .getOrCreate()
)


def run(name, files=1, source_name=None, twice=False, stateful=False):
    def read(limit):
        reader = spark.readStream.schema("n int").option("maxFilesPerTrigger", limit)
        return (reader.name(source_name) if source_name else reader).json(source)

    frame = read(files)
    if twice:
        frame = frame.union(read(1000))
    if stateful:
        frame = frame.groupBy("n").count()
    writer = frame.writeStream.option("checkpointLocation", os.path.join(work, name)).trigger(availableNow=True).format("noop")
    (writer.outputMode("complete") if stateful else writer).start().awaitTermination()


run("v1")
run("stateful", stateful=True)
spark.conf.set("spark.sql.streaming.offsetLog.formatVersion", "2")
run("v2")
run("union", twice=True)
spark.conf.set("spark.sql.streaming.queryEvolution.enableSourceEvolution", "true")
run("named", files=2, source_name="clicks")

shutil.rmtree(target, ignore_errors=True)
for name in ["v1", "v2", "union", "named", "stateful"]:
    for folder, _, files in os.walk(os.path.join(work, name)):
        for file in files:
            path = os.path.join(folder, file)
            if file.startswith(".") or ("/state/" in path and not path.endswith("_metadata/metadata")):
                continue
            copy = os.path.join(target, os.path.relpath(path, work))
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            with open(path) as original, open(copy, "w") as out:
                out.write(original.read().replace(f"file://{source}/", "file:///spark/in/"))
shutil.rmtree(work)
