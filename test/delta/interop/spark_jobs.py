"""Jobs for Spark with delta-spark, as JSON lines: {op, path, …}, answered one by one. Its first answer says which versions run."""
import json
import os
import sys

os.environ["TZ"] = "UTC"
sys.path.insert(0, os.path.dirname(__file__))
from pyspark.sql import SparkSession  # noqa: E402
from values import texts  # noqa: E402

PACKAGE = os.environ.get("MILLRACE_DELTA_SPARK", "io.delta:delta-spark_2.13:4.4.0")
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.jars.packages", PACKAGE)
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.databricks.delta.snapshotPartitions", "1")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "1g")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def rows_of(frame):
    return [row.asDict() for row in frame.collect()]


def read(path, version=None, **_):
    reader = spark.read.format("delta")
    return texts(rows_of((reader if version is None else reader.option("versionAsOf", version)).load(path)))


def feed(path, start=0, **_):
    frame = spark.read.format("delta").option("readChangeFeed", True).option("startingVersion", start).load(path)
    return texts(rows_of(frame.drop("_commit_timestamp")))


def make(path, **_):
    """A table with deletion vectors, changes and a checkpoint, updated, deleted from and merged into."""
    sql = spark.sql
    name = "delta.`%s`" % path
    sql(
        "CREATE TABLE %s (id INT, city STRING) USING delta PARTITIONED BY (city) TBLPROPERTIES "
        "('delta.enableChangeDataFeed' = 'true', 'delta.enableDeletionVectors' = 'true', 'delta.checkpointInterval' = '3')" % name
    )
    sql("INSERT INTO %s VALUES (1, 'oslo'), (2, 'oslo'), (3, 'a b/c=d'), (4, NULL), (5, 'oslo')" % name)
    sql("DELETE FROM %s WHERE id = 2" % name)
    sql("UPDATE %s SET id = 30 WHERE id = 3" % name)
    sql(
        "MERGE INTO %s t USING (SELECT 5 AS id, 'oslo' AS city UNION ALL SELECT 6, 'rome') s ON t.id = s.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *" % name
    )
    sql("INSERT INTO %s VALUES (7, 'oslo')" % name)
    return True


def make_plain(path, **_):
    """A table without vectors, to write to from both sides."""
    spark.sql("CREATE TABLE delta.`%s` (id INT, city STRING) USING delta TBLPROPERTIES ('delta.enableDeletionVectors' = 'false')" % path)
    return spark.sql("DESCRIBE DETAIL delta.`%s`" % path).collect()[0].asDict()["tableFeatures"]


def append(path, start, count, **_):
    for i in range(count):
        spark.sql("INSERT INTO delta.`%s` VALUES (%d, 'spark')" % (path, start + i))
    return True


def change(path, **_):
    """What Spark does to a table of Millrace."""
    name = "delta.`%s`" % path
    spark.sql("DELETE FROM %s WHERE id = 4" % name)
    spark.sql("INSERT INTO %s VALUES (50, 'spark')" % name)
    spark.sql("OPTIMIZE %s" % name)
    return True


def change_rows(path, **_):
    spark.sql("DELETE FROM delta.`%s` WHERE id = 4 OR id > 19000" % path)
    spark.sql("UPDATE delta.`%s` SET city = 'spark' WHERE id = 8" % path)
    return True


jobs = {"changeRows": change_rows, "read": read, "feed": feed, "make": make, "makePlain": make_plain, "append": append, "change": change}
print(json.dumps({"ok": "Spark %s with %s" % (spark.version, PACKAGE)}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    try:
        print(json.dumps({"ok": jobs[job["op"]](**{key: value for key, value in job.items() if key != "op"})}), flush=True)
    except Exception as error:  # told to the other side
        print(json.dumps({"error": "%s: %s" % (type(error).__name__, str(error)[:2000])}), flush=True)
spark.stop()
