"""Rows as texts that mean the same whoever read them; interop/values.ts writes the same."""
import datetime as dt
import json
from decimal import Decimal

EPOCH = dt.datetime(1970, 1, 1)


def plain(value):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return "i:%d" % value
    if isinstance(value, float):
        return "f:nan" if value != value else "f:%d" % round(value * 1000)
    if isinstance(value, Decimal):
        return "d:" + format(value, "f")
    if isinstance(value, str):
        return "s:" + value
    if isinstance(value, (bytes, bytearray)):
        return "b:" + bytes(value).hex()
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
        return "t:%d" % ((value - EPOCH) // dt.timedelta(microseconds=1))
    if isinstance(value, dt.date):
        return "day:" + value.isoformat()
    if hasattr(value, "asDict"):  # a Row of Spark
        return {name: plain(each) for name, each in value.asDict().items()}
    if isinstance(value, dict):
        # Spark's maps; structs of Arrow have texts for names and never mix with them in the tables here
        if any(not isinstance(key, str) for key in value) or value.get("__map__"):
            return entries(value.items())
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(each, tuple) and len(each) == 2 for each in value):
            return entries(value)
        return [plain(each) for each in value]
    raise TypeError(type(value))


def entries(pairs):
    return sorted(([plain(key), plain(each)] for key, each in pairs), key=json.dumps)


def texts(rows):
    return sorted(json.dumps(plain(dict(row)), sort_keys=True, ensure_ascii=False, separators=(",", ":")) for row in rows)
