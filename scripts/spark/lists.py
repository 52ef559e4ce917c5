"""Writes the lists of Spark's built-in functions, public configuration keys and methods that the tests compare Millrace with.

    pip install pyspark==4.2.0 && python scripts/spark/lists.py
"""
import json
from pathlib import Path
from pyspark.sql import Column, DataFrame, DataFrameReader, DataFrameWriter, SparkSession
from pyspark.sql.group import GroupedData
from pyspark.sql.streaming import DataStreamReader, DataStreamWriter, StreamingQuery, StreamingQueryManager

folder = Path(__file__).parents[2] / "test" / "spark-4.2"
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)

# key, default, whether it may be changed while Spark runs; the warehouse's default is a path of this machine
rows = sorted((row[0], row[1] or "", spark.conf.isModifiable(row[0])) for row in spark.sql("SET -v").collect())
keys = [[key, "" if key == "spark.sql.warehouse.dir" else value, modifiable] for key, value, modifiable in rows]
(folder / "conf-keys.json").write_text("[\n" + ",\n".join("  " + json.dumps(key) for key in keys) + "\n]\n")

functions = sorted(row[0] for row in spark.sql("SHOW SYSTEM FUNCTIONS").collect())
(folder / "functions.json").write_text(json.dumps(functions, indent=2) + "\n")

classes = [DataFrame, Column, GroupedData, DataFrameReader, DataFrameWriter, DataStreamReader, DataStreamWriter, StreamingQuery, StreamingQueryManager]
methods = {each.__name__: sorted(name for name in dir(each) if not name.startswith("_")) for each in classes}
(folder / "methods.json").write_text(json.dumps(methods, indent=1) + "\n")
spark.stop()
