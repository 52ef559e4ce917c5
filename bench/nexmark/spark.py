"""Runs the Nexmark queries on Spark local[2] as streams over the same files, and prints the milliseconds of each as one line of JSON.

spark.py EVENTS CLOSED SIDE_INPUT FILES_PER_BATCH: folders of NDJSON (CLOSED has a last file that moves every watermark past the end), a Parquet file.
Each query runs twice; the second run counts. State in RocksDB, two partitions for two cores, noop sink (q10: Parquet in folders).
"""
import json, shutil, sys, tempfile, time
from pyspark.sql import SparkSession, functions as F

events, closed, side_input, files_per_batch = sys.argv[1:5]
spark = (SparkSession.builder.master("local[2]")
         .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC")
         .config("spark.sql.streaming.stateStore.providerClass", "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider")
         .config("spark.driver.memory", "6g").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")

PERSON = "struct<id: bigint, name: string, emailAddress: string, creditCard: string, city: string, state: string, dateTime: timestamp, extra: string>"
AUCTION = ("struct<id: bigint, itemName: string, description: string, initialBid: bigint, reserve: bigint, dateTime: timestamp, expires: timestamp, "
           "seller: bigint, category: bigint, extra: string>")
BID = "struct<auction: bigint, bidder: bigint, price: bigint, channel: string, url: string, dateTime: timestamp, extra: string>"
SCHEMA = f"event_type int, person {PERSON}, auction {AUCTION}, bid {BID}"
RANKS = {"rank1": "price < 10000", "rank2": "price >= 10000 and price < 1000000", "rank3": "price >= 1000000"}


def streams(folder, marked):
    def of(kind, name):
        rows = (spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", files_per_batch).option("timestampFormat", "yyyy-MM-dd HH:mm:ss.SSS").json(folder)
                .where(f"event_type = {kind}").select(f"{name}.*"))
        return rows.withWatermark("dateTime", "4 seconds") if marked else rows
    return of(0, "person"), of(1, "auction"), of(2, "bid")


def counts():
    return [F.expr("count(*)").alias("total_bids")] + [F.expr(f"count(CASE WHEN {c} THEN 1 END)").alias(f"{r}_bids") for r, c in RANKS.items()]


def distinct(of, name):
    return [F.expr(f"size(collect_set({of}))").alias(f"total_{name}")] + [
        F.expr(f"size(collect_set(CASE WHEN {c} THEN {of} END))").alias(f"{r}_{name}") for r, c in RANKS.items()]


def day(bid):
    return bid.withColumn("day", F.expr("date_format(dateTime, 'yyyy-MM-dd')"))


@F.udf("bigint")
def count_c(text):
    return text.count("c")


def q14(b, counted):
    return b.where("0.908 * price > 1000000 AND 0.908 * price < 50000000").withColumn("c_counts", counted).selectExpr(
        "auction", "bidder", "CAST(0.908 * price AS decimal(23, 3)) AS price",
        "CASE WHEN hour(dateTime) >= 8 AND hour(dateTime) <= 18 THEN 'dayTime' WHEN hour(dateTime) <= 6 OR hour(dateTime) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType",
        "dateTime", "extra", "c_counts")


def q5(p, a, b):
    def per_window():
        return b.groupBy(F.window("dateTime", "10 seconds", "2 seconds"), "auction").agg(F.count("*").alias("num"))
    return per_window().join(per_window().groupBy("window").agg(F.max("num").alias("most")), "window").where("num >= most").selectExpr("auction", "num", "window.start AS start")


def q7(p, a, b):
    m = b.groupBy(F.window("dateTime", "10 seconds")).agg(F.max("price").alias("most")).selectExpr("most", "window.end AS windowEnd")
    return b.join(m, F.expr("price = most AND dateTime BETWEEN windowEnd - INTERVAL 10 SECONDS AND windowEnd")).select("auction", "price", "bidder", "dateTime", "extra")


def q8(p, a, b):
    people = p.groupBy("id", "name", F.window("dateTime", "10 seconds")).agg(F.count("*").alias("registrations"))
    sellers = a.groupBy("seller", F.window("dateTime", "10 seconds").alias("opened")).agg(F.count("*").alias("auctions"))
    return people.join(sellers, F.expr("id = seller AND window = opened")).selectExpr("id", "name", "window.start AS start")


APPEND, UPDATE = "append", "update"
QUERIES = {
    "q0": (APPEND, False, lambda p, a, b: b.select("auction", "bidder", "price", "dateTime", "extra")),
    "q1": (APPEND, False, lambda p, a, b: b.selectExpr("auction", "bidder", "CAST(0.908 * price AS decimal(23, 3)) AS price", "dateTime", "extra")),
    "q2": (APPEND, False, lambda p, a, b: b.where("auction % 123 = 0").select("auction", "price")),
    "q3": (APPEND, False, lambda p, a, b: a.where("category = 10").selectExpr("id AS auction", "seller").join(
        p.where("state IN ('OR', 'ID', 'CA')").select("id", "name", "city", "state"), F.expr("seller = id")).select("name", "city", "state", "auction")),
    "q5": (APPEND, True, q5),
    "q7": (APPEND, True, q7),
    "q8": (APPEND, True, q8),
    "q10": (APPEND, False, lambda p, a, b: b.selectExpr("auction", "bidder", "price", "dateTime", "extra", "date_format(dateTime, 'yyyy-MM-dd') AS dt",
                                                        "date_format(dateTime, 'HH:mm') AS hm")),
    "q11": (APPEND, True, lambda p, a, b: b.groupBy("bidder", F.session_window("dateTime", "10 seconds").alias("session")).agg(F.count("*").alias("bids"))
            .selectExpr("bidder", "bids", "session.start AS start", "session.end AS end")),
    "q13": (APPEND, False, lambda p, a, b: b.withColumn("key", F.expr("auction % 10000")).join(spark.read.parquet(side_input), "key")
            .select("auction", "bidder", "price", "dateTime", "value")),
    "q14": (APPEND, False, lambda p, a, b: q14(b, F.expr("length(extra) - length(replace(extra, 'c', ''))"))),
    "q14-udf": (APPEND, False, lambda p, a, b: q14(b, count_c("extra"))),
    "q15": (UPDATE, False, lambda p, a, b: day(b).groupBy("day").agg(*counts(), *distinct("bidder", "bidders"), *distinct("auction", "auctions"))),
    "q16": (UPDATE, False, lambda p, a, b: day(b).groupBy("channel", "day").agg(
        F.expr("max(date_format(dateTime, 'HH:mm'))").alias("minute"), *counts(), *distinct("bidder", "bidders"), *distinct("auction", "auctions"))),
    "q17": (UPDATE, False, lambda p, a, b: day(b).groupBy("auction", "day").agg(
        *counts(), F.min("price").alias("min_price"), F.max("price").alias("max_price"), F.expr("CAST(avg(price) AS bigint)").alias("avg_price"), F.sum("price").alias("sum_price"))),
    "q20": (APPEND, False, lambda p, a, b: b.selectExpr("auction", "bidder", "price", "channel", "url", "dateTime AS bid_dateTime", "extra AS bid_extra").join(
        a.where("category = 10").selectExpr("id", "itemName", "description", "initialBid", "reserve", "dateTime AS auction_dateTime", "expires", "seller", "category",
                                            "extra AS auction_extra"), F.expr("auction = id")).drop("id")),
    "q21": (APPEND, False, lambda p, a, b: b.selectExpr(
        "auction", "bidder", "price", "channel",
        "CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3' "
        "ELSE nullif(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '') END AS channel_id").where("channel_id IS NOT NULL")),
    "q22": (APPEND, False, lambda p, a, b: b.selectExpr("auction", "bidder", "price", "channel", "split_part(url, '/', 4) AS dir1", "split_part(url, '/', 5) AS dir2",
                                                        "split_part(url, '/', 6) AS dir3")),
    "q23": (APPEND, False, lambda p, a, b: b.selectExpr("bidder", "price", "channel", "url", "extra AS bid_extra").join(
        p.selectExpr("id AS person_id", "name", "emailAddress", "creditCard", "city", "state", "extra AS person_extra"), F.expr("bidder = person_id")).join(
        a.selectExpr("itemName", "description", "initialBid", "reserve", "dateTime AS auction_dateTime", "expires", "seller", "category", "extra AS auction_extra"),
        F.expr("bidder = seller"))),
}


def run(name):
    mode, closes, build = QUERIES[name]
    work = tempfile.mkdtemp(prefix="millrace-nexmark-spark-")
    try:
        writer = build(*streams(closed if closes else events, closes)).writeStream.outputMode(mode).trigger(availableNow=True).option("checkpointLocation", f"{work}/checkpoint")
        started = time.time()
        if name == "q10":
            query = writer.partitionBy("dt", "hm").format("parquet").start(f"{work}/out")
        else:
            query = writer.format("noop").start()
        query.awaitTermination()
        return round((time.time() - started) * 1000)
    finally:
        shutil.rmtree(work, ignore_errors=True)


times = {}
for name in QUERIES:
    try:
        run(name)
        times[name] = run(name)
    except Exception as error:  # what Spark refuses has no time; its class is told
        print(f"{name}: {str(error).splitlines()[0][:200]}", file=sys.stderr)
print(json.dumps(times))
