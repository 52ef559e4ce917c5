"""Asks real Spark for the results of streaming queries: JSON of the cases on stdin, the answers into the file it names (see spark-streams.ts)."""
import json
import os
import shutil
import sys
import tempfile
from uuid import uuid4

from pyspark.sql import SparkSession

request = json.load(sys.stdin)
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.ui.enabled", "false")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)


def answer(case, folder):
    source = os.path.join(folder, "in")
    os.mkdir(source)
    spark.readStream.schema(request["schema"]).json(source).createOrReplaceTempView("input")
    for relation in case["relations"]:
        of = spark.table(relation["of"]) if "of" in relation else None
        if "sql" in relation:
            frame = spark.sql(relation["sql"])
        elif "watermark" in relation:
            frame = of.withWatermark(*relation["watermark"])
        elif "dropDuplicates" in relation:
            frame = of.dropDuplicates(relation["dropDuplicates"])
        else:
            frame = of.dropDuplicatesWithinWatermark(relation["dropDuplicatesWithinWatermark"])
        frame.createOrReplaceTempView(relation["view"])
    out = spark.table("out").selectExpr("to_json(struct(*), map('ignoreNullFields', 'false')) AS row")
    batches = []

    def collect(frame, _):
        batches.append(sorted(row.row for row in frame.collect()))

    def start():
        writer = out.writeStream.outputMode(case["outputMode"]).option("checkpointLocation", os.path.join(folder, "checkpoint"))
        return writer.foreachBatch(collect).start()

    query = start()
    last, steps = -1, []
    try:
        for step in case["steps"]:
            if step == "restart":
                query.stop()
                query = start()
            else:
                lines = "".join(json.dumps(dict(zip(("k", "t", "v", "src"), row))) + "\n" for row in step)
                hidden = os.path.join(source, f".{uuid4()}")
                with open(hidden, "w") as file:
                    file.write(lines)
                os.rename(hidden, os.path.join(source, f"{len(steps)}.json"))
            query.processAllAvailable()
            progresses = [json.loads(progress.json) for progress in query.recentProgress]
            run = [p for p in progresses if p["batchId"] > last and "addBatch" in p["durationMs"]]
            last = run[-1]["batchId"] if run else last
            total = lambda i, name: sum(p["stateOperators"][i][name] for p in run)
            operators = [
                [operator["numRowsTotal"]] + [total(i, f"numRows{name}") for name in ("Updated", "DroppedByWatermark", "Removed")]
                for i, operator in enumerate(run[-1]["stateOperators"] if run else [])
            ]
            watermark = run[-1]["eventTime"].get("watermark") if run else None
            steps.append({"batches": batches[:], "operators": operators, "watermark": watermark})
            batches.clear()
    finally:
        query.stop()
    return steps


def write(answers):
    with open(request["path"], "w") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(steps)}" for name, steps in answers.items()) + "\n}\n")


known = {}
if os.path.exists(request["path"]) and not request["all"]:
    with open(request["path"]) as file:
        known = json.load(file)
answers = {}
for case in request["cases"]:
    if case["name"] in known:
        answers[case["name"]] = known[case["name"]]
        continue
    folder = tempfile.mkdtemp()
    try:
        answers[case["name"]] = answer(case, folder)
    finally:
        shutil.rmtree(folder)
    print(case["name"], flush=True)
    write(answers)
write(answers)
spark.stop()
