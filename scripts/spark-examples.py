"""Asks real Spark what the examples of test/functions/examples mean, and writes test/functions/expected/<family>.json.

Called by `npm run spark:examples` (see CONTRIBUTING.md), which gives it the examples as JSON on standard input:
{"folder": ..., "all": false, "families": {"strings": [{"sql": "upper('a')"}, {"sql": "sum(x)", "from": "VALUES (1) AS t(x)", "by": "k"}]}}.
Needs pyspark 4.2.0 and a JVM. ANSI mode is on, the time zone is UTC. How values are written: test/functions/README.md.
An answer that a file already has is kept, unless "all" is true.
"""

import json
import logging
import math
import os
import re
import sys
import time

os.environ["TZ"] = "UTC"
time.tzset()

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

VERSION = "4.2.0"


def session():
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # each question is asked once: compiling it would cost more than running it
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .config("spark.sql.ansi.enabled", "true")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    logging.disable(logging.CRITICAL)  # the errors are answers
    if spark.version != VERSION:
        raise SystemExit(f"the expected values are those of Spark {VERSION}, and this is {spark.version}")
    return spark


AS_TEXT = (T.DateType, T.TimestampType, T.TimestampNTZType, T.DayTimeIntervalType, T.YearMonthIntervalType, T.CalendarIntervalType)
if hasattr(T, "TimeType"):
    AS_TEXT = (*AS_TEXT, T.TimeType)


def needs_text(t):
    if isinstance(t, T.ArrayType):
        return needs_text(t.elementType)
    if isinstance(t, T.MapType):
        return True  # a Python dict would merge keys that are equal to it, such as 1 and 1.0
    if isinstance(t, T.StructType):
        return True  # by position, for fields of one name
    return isinstance(t, AS_TEXT) or isinstance(t, T.VariantType)


def encoded(t, x, depth=0):
    """SQL that gives `x` in a form that crosses into Python without loss."""
    if not needs_text(t):
        return x
    e = f"e{depth}"
    if isinstance(t, T.ArrayType):
        return f"transform({x}, {e} -> {encoded(t.elementType, e, depth + 1)})"
    if isinstance(t, T.MapType):
        key, value = encoded(t.keyType, f"{e}.key", depth + 1), encoded(t.valueType, f"{e}.value", depth + 1)
        return f"transform(map_entries({x}), {e} -> named_struct('k', {key}, 'v', {value}))"
    if isinstance(t, T.StructType):
        # an array of one, so that the fields are read from a name of one's own
        fields = [f"'f{i}', {encoded(f.dataType, f'{e}.f{i}', depth + 1)}" for i, f in enumerate(t.fields)]
        renamed = "struct<" + ",".join(f"f{i}:{f.dataType.simpleString()}" for i, f in enumerate(t.fields)) + ">"
        inner = f"named_struct({', '.join(fields)})" if fields else "named_struct()"
        return f"transform(array(cast({x} as {renamed})), {e} -> if({e} is null, null, {inner}))[0]"
    if isinstance(t, T.VariantType):
        return f"to_json({x})"
    return f"cast({x} as string)"


def number(x):
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    if x == 0 and math.copysign(1, x) < 0:
        return "-0"
    return x


def decoded(t, x):
    if x is None:
        return None
    if isinstance(t, T.ArrayType):
        return [decoded(t.elementType, each) for each in x]
    if isinstance(t, T.MapType):
        return [[decoded(t.keyType, each[0]), decoded(t.valueType, each[1])] for each in x]
    if isinstance(t, T.StructType):
        return [decoded(field.dataType, x[i]) for i, field in enumerate(t.fields)]
    if isinstance(t, T.LongType):
        return str(x)
    if isinstance(t, T.DecimalType):
        return format(x, "f")
    if isinstance(t, (T.FloatType, T.DoubleType)):
        return number(x)
    if isinstance(t, T.BinaryType):
        return bytes(x).hex()
    return x


def rows_of(spark, frame):
    names = [f"c{i}" for i in range(len(frame.schema.fields))]
    fields = frame.schema.fields
    frame = frame.toDF(*names)
    texts = [f"{encoded(field.dataType, name)} as {name}" for field, name in zip(fields, names)]
    rows = frame.selectExpr(*texts).collect()
    return fields, [[decoded(field.dataType, row[i]) for i, field in enumerate(fields)] for row in rows]


def text_of(t):
    # as `typeof` has it
    return t.simpleString()


def ask(spark, example):
    sql, source, by = example["sql"], example.get("from"), example.get("by")
    answer = {key: example[key] for key in ("sql", "from", "by") if example.get(key) is not None}
    keys = f"{by}, " if by else ""
    text = f"SELECT {keys}{sql}" + (f" FROM {source}" if source else "") + (f" GROUP BY {by} ORDER BY {by}" if by else "")
    try:
        fields, rows = rows_of(spark, spark.sql(text))
    except PySparkException as error:
        return {**answer, "error": error.getCondition() or type(error).__name__}
    except Exception as error:  # an error of Java that pyspark has no class for
        return {**answer, "error": java_class(error)}
    types = [text_of(field.dataType) for field in fields]
    if len(fields) == 1 and len(rows) == 1:
        return {**answer, "type": types[0], "value": rows[0][0]}
    if len(fields) == 1:
        return {**answer, "type": types[0], "rows": [row[0] for row in rows]}
    return {**answer, "types": types, "rows": rows}


def table_of(spark, source):
    fields, rows = rows_of(spark, spark.sql(f"SELECT * FROM {source}"))
    return {"schema": ", ".join(f"`{field.name}` {text_of(field.dataType)}" for field in fields), "rows": rows}


def java_class(error):
    found = re.search(r"\[([A-Z][A-Z0-9_.]+)\]", str(error))
    return found.group(1) if found else type(error).__name__


def ask_query(spark, sql):
    try:
        frame = spark.sql(sql)
        columns = [[field.name, text_of(field.dataType)] for field in frame.schema.fields]
        return {"sql": sql, "columns": columns, "rows": rows_of(spark, frame)[1]}
    except PySparkException as error:
        return {"sql": sql, "error": error.getCondition() or type(error).__name__}
    except Exception as error:  # an error of Java that pyspark has no class for
        return {"sql": sql, "error": java_class(error)}


def queries(request):
    """Whole statements over temporary views: {"path": ..., "views": [...], "queries": [...]}. Always asked anew."""
    spark = session()
    for view in request["views"]:
        spark.sql(view)
    answers = [ask_query(spark, sql) for sql in request["queries"]]
    with open(request["path"], "w") as file:
        file.write('{\n"spark": "%s",\n"queries": [\n' % VERSION)
        file.write(",\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers))
        file.write("\n]\n}\n")
    print(f"sql: {len(answers)} queries asked", file=sys.stderr)


def identity(example):
    return json.dumps([example["sql"], example.get("from"), example.get("by")])


def main():
    request = json.load(sys.stdin)
    spark = None
    if request.get("sql"):
        queries(request["sql"])
    for family, examples in request["families"].items():
        path = os.path.join(request["folder"], f"{family}.json")
        old = json.load(open(path)) if os.path.exists(path) and not request.get("all") else {"examples": [], "tables": {}}
        known = {identity(example): example for example in old["examples"]}
        answers, tables, asked = [], {}, 0
        for example in examples:
            answer = known.get(identity(example))
            source = example.get("from")
            if answer is None or (source and source not in old["tables"]):
                spark = spark or session()
            if answer is None:
                answer = ask(spark, example)
                asked += 1
            answers.append(answer)
            if source:
                tables[source] = old["tables"].get(source) or table_of(spark, source)
        line = lambda value: json.dumps(value, ensure_ascii=False)
        with open(path, "w") as file:
            file.write('{\n"spark": "%s",\n"examples": [\n' % VERSION)
            file.write(",\n".join(line(answer) for answer in answers))
            file.write("\n],\n\"tables\": {\n")
            file.write(",\n".join(f"{line(name)}: {line(table)}" for name, table in tables.items()))
            file.write("\n}\n}\n")
        print(f"{family}: {len(answers)} examples, {asked} asked", file=sys.stderr)


main()
