"""Runs the Yahoo streaming benchmark on Spark local[2] from a Kafka topic, and prints what came of it as one line of JSON.

spark.py BOOTSTRAP TOPIC ADS OFFSETS_PER_BATCH: ADS is a file of JSON lines with ad_id and campaign_id. The query is that of bench/kafka.ts: JSON values,
a watermark, a join with a static table, counts by campaign and window in update mode into foreachBatch. It runs twice; the second run counts.
State in RocksDB, two partitions for two cores. The Kafka connector comes from Maven Central.
"""
import json, shutil, sys, tempfile, time
from pyspark.sql import SparkSession, functions as F

bootstrap, topic, ads, offsets_per_batch = sys.argv[1:5]
spark = (SparkSession.builder.master("local[2]")
         .config("spark.jars.packages", "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0")
         .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC")
         .config("spark.sql.streaming.stateStore.providerClass", "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider")
         .config("spark.driver.memory", "6g").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
EVENT = "user_id string, page_id string, ad_id string, ad_type string, event_type string, event_time bigint, ip_address string"


def run():
    work = tempfile.mkdtemp(prefix="millrace-kafka-spark-")
    counts = {}

    def keep(rows, batch):
        for row in rows.collect():
            counts[(row.campaign_id, row.window.start)] = row.views

    events = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
              .option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", offsets_per_batch).load()
              .select(F.from_json(F.col("value").cast("string"), EVENT).alias("event")).select("event.ad_id", "event.event_type", "event.event_time"))
    campaigns = spark.read.schema("ad_id string, campaign_id string").json(ads)
    try:
        started = time.time()
        query = (events.where("event_type = 'view'").withColumn("event_time", F.expr("timestamp_millis(event_time)")).withWatermark("event_time", "10 seconds")
                 .join(campaigns, "ad_id").groupBy("campaign_id", F.window("event_time", "10 seconds")).agg(F.count("*").alias("views"))
                 .writeStream.outputMode("update").trigger(availableNow=True).option("checkpointLocation", f"{work}/checkpoint").foreachBatch(keep).start())
        query.awaitTermination()
        return {"ms": round((time.time() - started) * 1000), "views": sum(counts.values()), "keys": len(counts)}
    finally:
        shutil.rmtree(work, ignore_errors=True)


run()
print(json.dumps(run()))
